import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnosed } from '../../src/cni/plugins/diagnosed.ts';
import { CniError } from '../../src/cni/spec/errors.ts';

const LAN = { index: 3, name: 'eth0' };
const CAUSE = 'DHCP answers no other MAC. Hyper-V: turn on MAC address spoofing.';
const silent = new CniError('dhcp-no-answer', 'no DHCP lease for eth0: nothing came back');
const never = new AbortController().signal;

function services(answer: Promise<string | undefined>): {
  readonly asked: unknown[];
  readonly diagnose: (lan: unknown) => Promise<string | undefined>;
} {
  const asked: unknown[] = [];
  const diagnose = (lan: unknown): Promise<string | undefined> => {
    asked.push(lan);
    return answer;
  };
  return { asked, diagnose };
}

test('what is wrong with the LAN becomes the details of an error that nobody answered', async () => {
  const { asked, diagnose } = services(Promise.resolve(CAUSE));
  const error = await diagnosed(silent, { diagnose }, LAN, never);
  assert.deepEqual([error.kind, error.message, error.details], [silent.kind, silent.message, CAUSE]);
  assert.deepEqual(asked, [LAN]);
});

test('other errors, links without a LAN, and a daemon without a doctor keep theirs', async () => {
  const { asked, diagnose } = services(Promise.resolve(CAUSE));
  const refused = new CniError('dhcp-refused', 'NAK');
  assert.equal(await diagnosed(refused, { diagnose }, LAN, never), refused);
  assert.equal(await diagnosed(silent, { diagnose }, undefined, never), silent);
  assert.equal(await diagnosed(silent, {}, LAN, never), silent);
  assert.deepEqual(asked, []);
  assert.equal(await diagnosed(silent, services(Promise.resolve(undefined)), LAN, never), silent);
});

test('a caller that hangs up does not wait, nor does one for a diagnosis that never ends', async (t) => {
  const endless = services(new Promise(() => undefined));
  const gone = new AbortController();
  const left = diagnosed(silent, endless, LAN, gone.signal);
  gone.abort();
  assert.equal(await left, silent);
  assert.equal(await diagnosed(silent, endless, LAN, gone.signal), silent);
  assert.equal(endless.asked.length, 2);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const patient = diagnosed(silent, endless, LAN, never);
  t.mock.timers.tick(2000);
  assert.equal(await patient, silent);
});
