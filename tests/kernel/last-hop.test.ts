import assert from 'node:assert/strict';
import { test } from 'node:test';
import { removeLastHop, setLastHop } from '../../src/kernel/last-hop.ts';
import { LAST_HOP_MOST } from '../../src/kernel/last-hop-table.ts';
import {
  CLIENT,
  DEAD_NODE_PORT,
  DEAD_POD_PORT,
  LastHopLan,
  NODE,
  NODE_PORT,
  POD,
  POD_PORT,
  SHIM_MAC,
} from './support/last-hop-lan.ts';
import { asRoot, until } from './support/sandbox.ts';

const HELLO = 'echo hello $NCAT_REMOTE_ADDR';
const ASK = `timeout 2 ncat --recv-only ${NODE} ${NODE_PORT}`;
const ASK_UDP = `exec 3<>/dev/udp/${NODE}/${NODE_PORT}; echo ask >&3; timeout 2 head -n 1 <&3`;

test('TCP by a node that keeps the client address: nothing without, an answer with', asRoot, async () => {
  await using lan = LastHopLan.make();
  await lan.serve('pod', POD_PORT, HELLO);
  assert.equal(lan.attempt('cli', ASK).ok, false);
  await setLastHop(lan.pod, lan.podIndex, 'eth0');
  assert.deepEqual(lan.attempt('cli', ASK), { ok: true, text: `hello ${CLIENT}\n` });
  assert.match(lan.attempt('cli', `timeout 2 ncat --recv-only ${POD} ${POD_PORT}`).text, /^hello/);
  await removeLastHop(lan.pod, 'eth0');
  assert.equal(lan.run('pod', 'nft', 'list', 'ruleset'), '');
  assert.equal(lan.attempt('cli', ASK).ok, false);
  await removeLastHop(lan.pod, 'eth0');
});

test('a port where nobody listens is refused by the way it was asked', asRoot, async () => {
  await using lan = LastHopLan.make();
  await setLastHop(lan.pod, lan.podIndex, 'eth0');
  const tcp = lan.attempt('cli', `timeout 3 ncat --recv-only ${NODE} ${DEAD_NODE_PORT}`);
  assert.match(tcp.text, /refused/);
  const udp = lan.attempt(
    'cli',
    `exec 3<>/dev/udp/${NODE}/${DEAD_NODE_PORT}; echo x >&3; timeout 3 head -c 1 <&3`,
  );
  assert.match(udp.text, /refused/);
});

test(
  'an open connection lives a day, a closed one ten seconds, one that the pod alone has closed two minutes',
  asRoot,
  async () => {
    await using lan = LastHopLan.make();
    await lan.serve('pod', POD_PORT, 'cat');
    await setLastHop(lan.pod, lan.podIndex, 'eth0');
    const client = lan.start('cli', 'ncat', NODE, `${NODE_PORT}`);
    await until('it is open', () =>
      lan.elements('tcp_open').some((element) => /expires (23h59m|1d)/.test(element)),
    );
    assert.equal(lan.elements('tcp_open').length, 1);
    assert.match(
      lan.elements('tcp_open')[0] ?? '',
      new RegExp(`${CLIENT}.*${POD}.*${POD_PORT}.* : ${SHIM_MAC}`),
    );
    // The table that is there stays, and so does what it knows.
    await setLastHop(lan.pod, lan.podIndex, 'eth0');
    assert.equal(lan.elements('tcp_open').length, 1);
    client.stdin?.end();
    await until('it is closing', () => lan.elements('tcp_closing').length === 1);
    assert.deepEqual(lan.elements('tcp_open'), []);
    assert.match(lan.elements('tcp_closing')[0] ?? '', /expires \ds/);
    // A client that does not close: the server has gone, and said FIN.
    await lan.serve('pod', DEAD_POD_PORT, 'true');
    lan.start('cli', 'bash', '--norc', '-c', `exec 3<>/dev/tcp/${NODE}/${DEAD_NODE_PORT}; read`);
    await until('it is half closed', () =>
      lan.elements('tcp_closing').some((element) => /expires (1m|2m)/.test(element)),
    );
  },
);

test('a reset shortens the life of what was open', asRoot, async () => {
  await using lan = LastHopLan.make();
  await lan.serve('pod', POD_PORT, 'cat');
  await setLastHop(lan.pod, lan.podIndex, 'eth0');
  lan.start('cli', 'ncat', NODE, `${NODE_PORT}`);
  await until('it is open', () =>
    lan.elements('tcp_open').some((element) => /expires (23h59m|1d)/.test(element)),
  );
  // ss -K of the kernel's (tcp_abort) sends a reset.
  lan.run('cli', 'ss', '-K', 'dst', NODE);
  await until('it is short', () => lan.elements('tcp_open').every((element) => /expires 1m/.test(element)));
});

test("nothing is learned from the pod's own connections", asRoot, async () => {
  await using lan = LastHopLan.make();
  await lan.serve('cli', POD_PORT, HELLO);
  await lan.serve('cli', POD_PORT, 'echo answer', '-u');
  await setLastHop(lan.pod, lan.podIndex, 'eth0');
  assert.match(lan.attempt('pod', `timeout 2 ncat --recv-only ${CLIENT} ${POD_PORT}`).text, /hello/);
  for (const map of ['tcp_open', 'tcp_new', 'tcp_closing']) assert.deepEqual(lan.elements(map), [], map);
  const questions = 20;
  const ask = `exec 3<>/dev/udp/${CLIENT}/${POD_PORT}; echo ask >&3; timeout 2 head -n 1 <&3; exec 3>&-`;
  assert.match(lan.attempt('pod', `for i in $(seq ${questions}); do ${ask}; done`).text, /answer/);
  assert.deepEqual(lan.elements('udp_open'), []);
  const settled = lan.elements('udp_settled');
  assert.ok(settled.length <= questions, 'one for each question at most');
  assert.ok(
    settled.every((element) => /expires [12]?\d(s|$)/.test(element) || element.includes('expires 30s')),
  );
});

test(
  'UDP: the answer goes back the way it was asked, and the way is kept for three minutes',
  asRoot,
  async () => {
    await using lan = LastHopLan.make();
    await lan.serve('pod', POD_PORT, HELLO, '-u');
    assert.equal(lan.attempt('cli', ASK_UDP).text, '');
    await setLastHop(lan.pod, lan.podIndex, 'eth0');
    assert.deepEqual(lan.attempt('cli', ASK_UDP), { ok: true, text: `hello ${CLIENT}\n` });
    const [entry] = lan.elements('udp_open');
    assert.match(entry ?? '', new RegExp(`expires 2m5.* : ${SHIM_MAC}`));
  },
);

test('a flow that comes by another way is answered that way, but not at once', asRoot, async () => {
  await using lan = LastHopLan.make();
  await lan.serve('pod', POD_PORT, HELLO, '-u');
  await setLastHop(lan.pod, lan.podIndex, 'eth0');
  const ask = (name: string, to: string, port: number): { heard: () => string; say: () => void } => {
    const child = lan.start(name, 'ncat', '-u', '-p', '40001', to, `${port}`);
    let heard = '';
    child.stdout?.on('data', (part: Buffer) => (heard += part.toString()));
    const say = (): void => void child.stdin?.write('ask\n');
    say();
    return { heard: () => heard, say };
  };
  const first = ask('cli', NODE, NODE_PORT);
  await until('the first is answered', () => first.heard().startsWith('hello'));
  // Another machine has the client's address now.
  lan.ip('cli', 'link set eth0 down');
  lan.ip('evil', `addr add ${CLIENT}/24 dev eth0`);
  const before = lan.receivedBy('pod', 'eth0');
  const second = ask('evil', POD, POD_PORT);
  await until('it was heard', () => lan.receivedBy('pod', 'eth0') > before);
  assert.match(lan.elements('udp_open')[0] ?? '', new RegExp(SHIM_MAC));
  // What ten seconds do.
  lan.run('pod', 'nft', 'flush set netdev leasehold-eth0 udp_settled');
  second.say();
  const evilMac = lan.macOf('evil', 'eth0');
  await until('the way is learned anew', () =>
    lan.elements('udp_open').some((element) => element.includes(evilMac)),
  );
});

test('a datagram that nobody answers is forgotten soon; a broadcast teaches nothing', asRoot, async () => {
  await using lan = LastHopLan.make();
  lan.start('pod', 'ncat', '-u', '-l', '-k', '-p', '9');
  await setLastHop(lan.pod, lan.podIndex, 'eth0');
  const podMac = lan.macOf('pod', 'eth0');
  lan.ip('cli', `neigh replace ${POD} lladdr ff:ff:ff:ff:ff:ff dev eth0 nud permanent`);
  const before = lan.receivedBy('pod', 'eth0');
  lan.run('cli', 'bash', '--norc', '-c', `echo x > /dev/udp/${POD}/9`);
  await until('the broadcast came', () => lan.receivedBy('pod', 'eth0') > before);
  assert.deepEqual(lan.elements('udp_open'), []);
  lan.ip('cli', `neigh replace ${POD} lladdr ${podMac} dev eth0 nud permanent`);
  lan.run('cli', 'bash', '--norc', '-c', `echo x > /dev/udp/${POD}/9`);
  await until('the other is learned', () => lan.elements('udp_open').length > 0);
  const entries = lan.elements('udp_open');
  assert.equal(entries.length, 1);
  assert.match(entries[0] ?? '', new RegExp(`${POD}.*expires 1\\ds`));
});

test('all fragments of a large answer go the way of the first', asRoot, async () => {
  const length = 5000;
  await using lan = LastHopLan.make();
  await lan.serve('pod', POD_PORT, `head -c ${length} /dev/zero`, '-u');
  await setLastHop(lan.pod, lan.podIndex, 'eth0');
  const ask = `exec 3<>/dev/udp/${NODE}/${NODE_PORT}; echo ask >&3; timeout 3 head -c ${length} <&3 | wc -c`;
  assert.equal(lan.attempt('cli', ask).text, `${length}\n`);
});

test(
  "a forged SYN with another one's address and ports does not turn the connection away",
  asRoot,
  async () => {
    await using lan = LastHopLan.make();
    await lan.serve('pod', POD_PORT, 'cat');
    await setLastHop(lan.pod, lan.podIndex, 'eth0');
    const client = lan.start('cli', 'ncat', '-p', '40000', NODE, `${NODE_PORT}`);
    let heard = '';
    client.stdout?.on('data', (part: Buffer) => (heard += part.toString()));
    await until('it is open', () =>
      lan.elements('tcp_open').some((element) => /expires (23h59m|1d)/.test(element)),
    );
    lan.ip('evil', `addr add ${CLIENT}/32 dev eth0`);
    lan.ip('evil', 'route add 192.168.77.0/24 dev eth0');
    const podMac = lan.macOf('pod', 'eth0');
    lan.ip('evil', `neigh replace ${POD} lladdr ${podMac} dev eth0 nud permanent`);
    lan.start('evil', 'ncat', '-p', '40000', POD, `${POD_PORT}`);
    await until('the forged SYN came', () => lan.elements('tcp_new').length > 0);
    client.stdin?.write('still here\n');
    await until('the connection goes on', () => heard === 'still here\n');
    assert.match(lan.elements('tcp_open')[0] ?? '', new RegExp(SHIM_MAC));
  },
);

function elementOf(i: number): string {
  return `10.${i >> 16}.${(i >> 8) & 255}.${i & 255} . ${POD} . 1 . 2 : 02:00:00:00:00:01`;
}

test('a full map teaches nothing more and stops nobody', asRoot, async () => {
  await using lan = LastHopLan.make();
  await lan.serve('pod', POD_PORT, HELLO);
  await setLastHop(lan.pod, lan.podIndex, 'eth0');
  const elements = Array.from({ length: LAST_HOP_MOST.tcp_open }, (_, i) => elementOf(i)).join(', ');
  lan.feed('pod', `add element netdev leasehold-eth0 tcp_open { ${elements} }`, 'nft', '-f', '-');
  assert.throws(() =>
    lan.run('pod', 'nft', `add element netdev leasehold-eth0 tcp_open { ${elementOf(1 << 17)} }`),
  );
  assert.match(lan.attempt('cli', `timeout 2 ncat --recv-only ${POD} ${POD_PORT}`).text, /^hello/);
});

/** One datagram to every port of the pod: a flow each. */
const FLOOD = `
const socket = require('node:dgram').createSocket('udp4');
socket.bind(40002, () => {
  let port = 1;
  const more = () => {
    for (let sent = 0; sent < 256 && port < 65536; sent++) socket.send('x', port++, '${POD}');
    if (port < 65536) setImmediate(more);
    else socket.close();
  };
  more();
});`;

test('a flood of new flows fills its own maps to their bounds; what was open stays', asRoot, async () => {
  await using lan = LastHopLan.make();
  await lan.serve('pod', POD_PORT, 'cat');
  await setLastHop(lan.pod, lan.podIndex, 'eth0');
  const client = lan.start('cli', 'ncat', NODE, `${NODE_PORT}`);
  let heard = '';
  client.stdout?.on('data', (part: Buffer) => (heard += part.toString()));
  await until('it is open', () =>
    lan.elements('tcp_open').some((element) => /expires (23h59m|1d)/.test(element)),
  );
  assert.deepEqual(lan.elements('tcp_new'), [], 'what was accepted makes room');
  lan.run('cli', process.execPath, '-e', FLOOD);
  for (const map of ['udp_open', 'udp_settled'] as const) {
    assert.equal(lan.elements(map).length, LAST_HOP_MOST[map], map);
  }
  client.stdin?.write('still here\n');
  await until('the connection goes on', () => heard === 'still here\n');
  assert.match(lan.elements('tcp_open')[0] ?? '', new RegExp(SHIM_MAC));
  // A new one by the node too: TCP has maps of its own.
  lan.start('cli', 'ncat', NODE, `${NODE_PORT}`);
  await until('another is open', () => lan.elements('tcp_open').length === 2);
});

/** What an element takes with its share of slab pages and of the hash table (kmalloc-96; 8 bytes a bucket), in bytes. */
const ELEMENT_BYTES = 112;
const POD_BYTES = 4.5 * 1024 * 1024;

test('every map of the table has its bound, and together they take about 4 MB', asRoot, async () => {
  await using lan = LastHopLan.make();
  await setLastHop(lan.pod, lan.podIndex, 'eth0');
  const text = lan.run('pod', 'nft', 'list', 'table', 'netdev', 'leasehold-eth0');
  const found = [...text.matchAll(/(?:map|set) (\w+) \{[^}]*?size (\d+)/g)].map(([, name, size]) => [
    name,
    Number(size),
  ]);
  assert.deepEqual(Object.fromEntries(found), LAST_HOP_MOST);
  const elements = Object.values(LAST_HOP_MOST).reduce((sum, most) => sum + most, 0);
  assert.ok(elements * ELEMENT_BYTES < POD_BYTES, `${elements} elements`);
});

test('an interface that is not there, or is another one, is an error that says so', asRoot, async () => {
  await using lan = LastHopLan.make();
  await assert.rejects(setLastHop(lan.pod, lan.podIndex, 'eth7'), { name: 'SysError', code: 'ENODEV' });
  await assert.rejects(setLastHop(lan.pod, lan.podIndex + 1, 'eth0'), { name: 'SysError', code: 'ENODEV' });
  assert.equal(lan.run('pod', 'nft', 'list', 'ruleset'), '');
});
