import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { type Duration, millis, seconds } from '../../src/base/time.ts';
import { AddDiagnoses } from '../../src/doctor/add-diagnosis.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { lanFindings } from '../../src/doctor/lan.ts';
import type { KnownLan, KnownServer } from '../../src/doctor/ports.ts';
import { DHCP_MESSAGE_TYPE } from '../../src/wire/dhcp4/message-type.ts';
import { type Asked, FakeLan, OWN, replyFrame, ROUTER } from './support/fake-lan.ts';

const BUDGET_MS = 1500;
const POOL_FULL = 'its pool is full, or it refuses unknown clients';

function heard(words: Partial<KnownServer>, renewalUnanswered?: Duration): KnownLan {
  const silent = { server: ROUTER, offer: undefined, ack: undefined, nak: undefined };
  return { servers: [{ ...silent, ...words }], renewalUnanswered };
}

async function run(lan: FakeLan, known?: KnownLan): Promise<readonly Finding[]> {
  const found = lanFindings(lan, 'eth0', { patience: millis(0), known: () => known });
  await lan.pass(BUDGET_MS);
  return await found;
}

async function first(lan: FakeLan, known?: KnownLan): Promise<Pick<Finding, 'id' | 'title'>> {
  const [finding] = await run(lan, known);
  assert.ok(finding !== undefined);
  return finding;
}

/** Whose node has no address of its own on the uplink, so that no DHCPINFORM can be sent. */
function withoutAddress(): FakeLan {
  const lan = new FakeLan();
  if (lan.uplink !== undefined) lan.uplink = { ...lan.uplink, addresses: [] };
  return lan;
}

const isInform = ({ message }: Asked): boolean =>
  message.options.get(53)?.[0] === DHCP_MESSAGE_TYPE.DHCPINFORM;

/** As a server with a full pool: it answers the DHCPINFORM of the node and nothing else. */
function fullPool(): FakeLan {
  const lan = new FakeLan();
  lan.answer = (asked) => (isInform(asked) ? [replyFrame(asked, { type: DHCP_MESSAGE_TYPE.DHCPACK })] : []);
  return lan;
}

test('a server that answers a DHCPINFORM and no DISCOVER has a full pool, without anything known before', async () => {
  const lan = fullPool();
  const { id, title } = await first(lan);
  assert.equal(id, 'pool-empty');
  assert.equal(
    title,
    `the DHCP server 192.168.2.1 answers on eth0 and is silent to new clients in 2 s: ${POOL_FULL}, or it takes longer than that for a new one`,
  );
  const [inform, ...more] = lan.asked.filter(isInform);
  assert.deepEqual(more, [], 'it is answered, and not asked again');
  assert.equal(inform?.message.ciaddr, '192.168.2.10');
  assert.equal(inform.message.chaddr, OWN);
  assert.equal(inform.source, OWN);
});

test('what the daemon has heard of the server is said beside it', async () => {
  const known = heard({ ack: seconds(2), offer: seconds(3) });
  const [finding] = await run(fullPool(), known);
  assert.match(
    finding?.title ?? '',
    /answers on eth0 \(a pod 2 s ago, by ACK\) and is silent to new clients/,
  );
  assert.ok(
    finding?.evidence.includes('192.168.2.1 was heard by pods of this node: ACK 2 s ago, OFFER 3 s ago'),
  );
});

for (const [word, said] of [
  ['ack', 'ACK'],
  ['offer', 'OFFER'],
  ['nak', 'NAK'],
] as const) {
  test(`heard lately with ${said}, and no way to ask whether it lives: the pool is full`, async () => {
    const { id, title } = await first(withoutAddress(), heard({ [word]: seconds(4) }));
    assert.equal(id, 'pool-empty');
    assert.equal(
      title,
      `the DHCP server 192.168.2.1 answered on eth0 4 s ago (${said}) and is silent to new clients: ${POOL_FULL}`,
    );
  });
}

test('heard lately and silent to a DHCPINFORM: it may have stopped', async () => {
  const { id, title } = await first(new FakeLan(), heard({ ack: seconds(4) }));
  assert.equal(id, 'server-silent');
  assert.match(
    title,
    /answered on eth0 4 s ago \(ACK\) and is silent now: it has stopped, or cannot be reached, or its pool/,
  );
});

test('heard lately, and a renewal is not answered: the pool is not named', async () => {
  const { id, title } = await first(withoutAddress(), heard({ ack: seconds(40) }, seconds(8)));
  assert.equal(id, 'server-silent');
  assert.match(
    title,
    /silent now, for 8 s also to a pod that has a lease: it has stopped, or cannot be reached$/,
  );
});

test('a renewal that has just been sent says nothing yet', async () => {
  assert.equal((await first(withoutAddress(), heard({ ack: seconds(40) }, millis(100)))).id, 'pool-empty');
});

test('heard long ago: when is said, and nothing is sure', async () => {
  const { id, title } = await first(withoutAddress(), heard({ ack: seconds(7200) }));
  assert.equal(id, 'server-silent');
  assert.match(title, /answered on eth0 2 h ago/);
});

test('of two servers the one that was heard last is named, and both are in the evidence', async () => {
  const other = { server: ipv4('192.168.2.3'), offer: seconds(1), ack: undefined, nak: undefined };
  const { servers } = heard({ ack: seconds(5) });
  const known = { servers: [...servers, other], renewalUnanswered: undefined };
  const [finding] = await run(withoutAddress(), known);
  assert.match(finding?.title ?? '', /^the DHCP server 192\.168\.2\.3 answered on eth0 1 s ago \(OFFER\)/);
  assert.equal(finding?.evidence.filter((line) => line.includes('was heard')).length, 2);
});

test('nothing known: nobody answers', async () => {
  assert.equal((await first(new FakeLan())).id, 'no-server');
  assert.equal(
    (await first(withoutAddress(), { servers: [], renewalUnanswered: seconds(3) })).id,
    'no-server',
  );
});

test('an answer to another MAC, or of another type, is no answer to the DHCPINFORM', async () => {
  const lan = new FakeLan();
  lan.answer = (asked) =>
    isInform(asked) ? [replyFrame(asked), replyFrame(asked, { type: DHCP_MESSAGE_TYPE.DHCPNAK })] : [];
  assert.equal((await first(lan)).id, 'no-server');
});

test('the ADD and the log hear it once for all that ask', async () => {
  const lan = fullPool();
  const said: object[] = [];
  const shared = new AddDiagnoses(lan, {
    known: (uplink) => (uplink === 'eth0' ? heard({ ack: seconds(1) }) : undefined),
    warn: (fields) => void said.push(fields),
  });
  const answers = [1, 2, 3].map(() => shared.diagnose({ index: 3, name: 'eth0' }));
  await lan.pass(BUDGET_MS);
  for (const answer of await Promise.all(answers)) assert.match(answer ?? '', /\(a pod 1 s ago, by ACK\)/);
  await lan.pass(10_000);
  assert.deepEqual(Object.keys(said[0] ?? {}), ['uplink', 'cause']);
  assert.equal(said.length, 1);
  await shared.close();
});
