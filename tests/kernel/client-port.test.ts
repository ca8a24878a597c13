import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import { type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { holdClientPort } from '../../src/kernel/client-port.ts';
import { errnoName } from '../../src/kernel/errno.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { DHCP_CLIENT_PORT } from '../../src/wire/dhcp4/udp-ports.ts';
import { asRoot, makePair, openFds, Sandbox, until } from './support/sandbox.ts';
import { openUdp } from './support/udp-socket.ts';

const POD = ipv4('10.9.0.2');
const SERVER = ipv4('10.9.0.1');
const ON_POD = { ifname: 'v0', localPort: DHCP_CLIENT_PORT } as const;
/** Nobody has it. */
const ANOTHER_PORT = 69;

/** A datagram from the server's side; tells whether ICMP port unreachable came back for it. */
function sent(from: NetNs, to: Ipv4, port: number): Disposable & { readonly isRefused: () => boolean } {
  const socket = openUdp(from, { ifname: 'v1', localPort: 0 });
  socket.connect(to, port);
  assert.equal(socket.send(utf8('x'), to, port), undefined);
  let refused = false;
  return {
    isRefused: () => (refused ||= errnoName(socket.takeError()) === 'ECONNREFUSED'),
    [Symbol.dispose]: () => socket.close(),
  };
}

async function site(sandbox: Sandbox): Promise<Awaited<ReturnType<typeof makePair>>> {
  const pair = await makePair(sandbox);
  sandbox.ip('left', 'addr', 'add', `${POD}/24`, 'dev', 'v0');
  sandbox.ip('right', 'addr', 'add', `${SERVER}/24`, 'dev', 'v1');
  return pair;
}

test('nobody is refused at the port while it is held, and everybody afterwards', asRoot, async () => {
  await using sandbox = new Sandbox('client-port');
  const { left, right, leftLink } = await site(sandbox);
  const before = openFds();
  const { hasAddress, end } = holdClientPort(left, leftLink.index, POD);
  assert.ok(hasAddress);
  {
    using held = sent(right, POD, DHCP_CLIENT_PORT);
    // It was sent later, and so is refused later.
    using another = sent(right, POD, ANOTHER_PORT);
    await until('the other port refuses', another.isRefused);
    assert.equal(held.isRefused(), false);
  }
  end();
  end();
  {
    using free = sent(right, POD, DHCP_CLIENT_PORT);
    await until('the port refuses', free.isRefused);
  }
  assert.equal(openFds(), before);
});

test('a process that has the port keeps it, and one that shares it may come', asRoot, async () => {
  await using sandbox = new Sandbox('client-port');
  const { left, leftLink, right } = await site(sandbox);
  for (const shared of [false, true]) {
    using process = openUdp(left, { ...ON_POD, shared });
    let heard = 0;
    process.onMessage(() => (heard += 1));
    const hold = (): unknown => holdClientPort(left, leftLink.index, POD);
    assert.throws(hold, { code: 'EADDRINUSE', op: `hold UDP port 68 of ${POD}` }, `${shared}`);
    using _ = sent(right, POD, DHCP_CLIENT_PORT);
    await until('the process hears it', () => heard === 1);
  }
  const { hasAddress, end } = holdClientPort(left, leftLink.index, POD);
  assert.ok(hasAddress);
  openUdp(left, { ...ON_POD, shared: true }).close();
  assert.throws(() => openUdp(left, { ...ON_POD, shared: false }), { code: 'EADDRINUSE' });
  end();
  openUdp(left, { ...ON_POD, shared: false }).close();
});

test('an address that is not there is held, too, and nobody is refused when it is', asRoot, async () => {
  await using sandbox = new Sandbox('client-port');
  const { left, right, leftLink } = await site(sandbox);
  const before = openFds();
  sandbox.ip('left', 'addr', 'del', `${POD}/24`, 'dev', 'v0');
  const { hasAddress, end } = holdClientPort(left, leftLink.index, POD);
  assert.equal(hasAddress, false);
  sandbox.ip('left', 'addr', 'add', `${POD}/24`, 'dev', 'v0');
  {
    using held = sent(right, POD, DHCP_CLIENT_PORT);
    using another = sent(right, POD, ANOTHER_PORT);
    await until('the other port refuses', another.isRefused);
    assert.equal(held.isRefused(), false);
  }
  end();
  assert.equal(openFds(), before);
});

test('what is wrong is told, and no descriptor stays', asRoot, async () => {
  await using sandbox = new Sandbox('client-port');
  const { left, leftLink, leftRtnl } = await site(sandbox);
  const before = openFds();
  const elsewhere = ipv4('10.9.0.99');
  {
    using _ = openUdp(left, { ...ON_POD, shared: false });
    assert.throws(() => holdClientPort(left, leftLink.index, elsewhere), { code: 'EADDRNOTAVAIL' });
  }
  await leftRtnl.links.delete(leftLink.index);
  const { hasAddress, end } = holdClientPort(left, leftLink.index, POD);
  assert.equal(hasAddress, false);
  end();
  assert.equal(openFds(), before);
});
