import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddDiagnoses, diagnoseAdd } from '../../src/doctor/add-diagnosis.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { FakeLan, OWN, replyFrame } from './support/fake-lan.ts';

const LAN = { index: 3, name: 'eth0' };
const BUDGET_MS = 1500;

function diagnoses(lan: FakeLan, warnings: string[] = []): AddDiagnoses {
  return new AddDiagnoses(lan, { warn: (_, message) => void warnings.push(message) });
}

/** The value if it is there already. */
async function now<T>(promise: Promise<T>): Promise<T | 'pending'> {
  const turn = new Promise<'pending'>((resolve) => {
    setImmediate(resolve, 'pending');
  });
  return await Promise.race([promise, turn]);
}

test('one sentence of cause and one of remedy, within the budget', async () => {
  const lan = new FakeLan();
  const answer = diagnoseAdd(lan, LAN);
  await lan.pass(BUDGET_MS);
  assert.equal(
    await now(answer),
    'no DHCP server answers on eth0, not even its own MAC. Check that a DHCP server or relay runs on the network of eth0, that it has a range for it, and that eth0 is plugged into that network.',
  );
});

test('nothing is said where a pod would get an address now, or the probe was refused', async () => {
  const lan = new FakeLan();
  lan.answer = (asked) => [replyFrame(asked)];
  const fine = diagnoseAdd(lan, LAN);
  await lan.pass(BUDGET_MS);
  assert.equal(await now(fine), undefined);
  lan.openError = new SysError('listen on #3', 'EMFILE');
  assert.equal(await diagnoseAdd(lan, LAN), undefined);
});

test('many callers share one run, and its answer is kept for ten seconds', async () => {
  const lan = new FakeLan();
  const shared = diagnoses(lan);
  const answers = Array.from({ length: 250 }, () => shared.diagnose(LAN));
  await lan.pass(BUDGET_MS);
  assert.equal(new Set(await Promise.all(answers)).size, 1);
  assert.equal(lan.opened, 1);
  await lan.pass(10_000);
  assert.match((await now(shared.diagnose(LAN))) ?? '', /^no DHCP server answers/);
  assert.equal(lan.opened, 1);
  await lan.pass(10_000);
  const again = shared.diagnose(LAN);
  await lan.pass(BUDGET_MS);
  assert.match((await now(again)) ?? '', /^no DHCP server answers/);
  assert.equal(lan.opened, 2);
  assert.notEqual(shared.diagnose({ index: 4, name: 'eth1' }), undefined);
  await shared.close();
  assert.equal(lan.closed, lan.opened);
});

test('the first caller hears what is known after the budget, the next what a slow server said after it', async () => {
  const lan = new FakeLan();
  const held: Uint8Array[] = [];
  lan.answer = (asked) => {
    // A server that pings first: the node's own MAC by another path is all that it would answer.
    if (asked.source === OWN) held.push(replyFrame(asked));
    return [];
  };
  const shared = diagnoses(lan);
  const first = shared.diagnose(LAN);
  await lan.pass(BUDGET_MS);
  assert.match((await now(first)) ?? '', /^no DHCP server answers/);
  await lan.pass(1500);
  for (const frame of held) lan.hear(frame);
  await lan.pass(7000);
  assert.match((await now(shared.diagnose(LAN))) ?? '', /^DHCP answers eth0's own MAC .* but no other MAC/);
  assert.equal(lan.opened, 1);
});

test('closing ends what runs at once, and nothing is begun after it', async () => {
  const lan = new FakeLan();
  const shared = diagnoses(lan);
  const answer = shared.diagnose(LAN);
  await lan.pass(100);
  await shared.close();
  assert.notEqual(await now(answer), 'pending');
  assert.deepEqual([lan.closed, lan.pendingTimers], [1, 0]);
  assert.equal(await now(shared.diagnose({ index: 4, name: 'eth1' })), undefined);
  assert.equal(lan.opened, 1);
});

test('a probe that breaks is a line in the log and no rejection', async () => {
  const lan = new FakeLan();
  lan.link = () => Promise.reject(new TypeError('broken'));
  const warnings: string[] = [];
  assert.equal(await diagnoses(lan, warnings).diagnose(LAN), undefined);
  assert.deepEqual(warnings, ['the LAN could not be diagnosed']);
});
