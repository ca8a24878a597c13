import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { holdClientPort } from '../../src/kernel/client-port.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { asRoot, makePair, openFds, Sandbox, until } from './support/sandbox.ts';
import { openUdp } from './support/udp-socket.ts';

const POD = ipv4('10.9.0.2');
const SERVER = ipv4('10.9.0.1');
const CLIENT_PORT = 68;

/** How many ICMP "destination unreachable" a namespace has sent (snmp_counter: IcmpOutDestUnreachs). */
function refusals(netns: NetNs): number {
  return netns.run(() => {
    const lines = readFileSync('/proc/thread-self/net/snmp', 'utf8').split('\n');
    const [names = [], values = []] = lines
      .filter((line) => line.startsWith('Icmp:'))
      .map((line) => line.split(' '));
    return Number(values[names.indexOf('OutDestUnreachs')]);
  });
}

/** A pod with an address, and a server on its network that can write to it. */
async function makeSite(sandbox: Sandbox) {
  const pair = await makePair(sandbox);
  await pair.leftRtnl.addresses.add({ index: pair.leftLink.index, cidr: cidr(`${POD}/24`) });
  await pair.rightRtnl.addresses.add({ index: pair.rightLink.index, cidr: cidr(`${SERVER}/24`) });
  const server = openUdp(pair.right, { ifname: 'v1', localPort: 67, localAddress: SERVER, broadcast: false });
  return { pod: pair.left, index: pair.leftLink.index, server };
}

describe('UDP port 68 of a pod', () => {
  test('held, a server is not refused; before and after, it is', asRoot, async () => {
    await using sandbox = new Sandbox('port68');
    const { pod, index, server } = await makeSite(sandbox);
    using _ = server;
    const write = async (): Promise<void> => {
      assert.equal(server.send(new Uint8Array(300), POD, CLIENT_PORT), undefined);
      await until('it has left', () => server.pendingBytes() === 0);
    };
    await write();
    await until('the first is refused', () => refusals(pod) === 1);
    const letGo = holdClientPort(pod, index, POD);
    for (let i = 0; i < 20; i++) await write();
    assert.equal(refusals(pod), 1);
    letGo();
    letGo();
    await write();
    await until('the last is refused', () => refusals(pod) === 2);
  });

  test('a process that has it keeps it for itself, and one that shares may come', asRoot, async () => {
    await using sandbox = new Sandbox('port68');
    const { pod, index, server } = await makeSite(sandbox);
    using _ = server;
    const options = { ifname: 'v0', localPort: CLIENT_PORT, broadcast: false };
    {
      using process = openUdp(pod, options);
      const heard: number[] = [];
      process.onMessage((bytes) => heard.push(bytes.length));
      assert.throws(() => holdClientPort(pod, index, POD), { code: 'EADDRINUSE' });
      server.send(new Uint8Array(9), POD, CLIENT_PORT);
      await until('the process hears it', () => heard.length === 1);
    }
    const letGo = holdClientPort(pod, index, POD);
    using late = openUdp(pod, options);
    assert.equal(late.pendingBytes(), 0);
    letGo();
  });

  test('an address that is not there is an error, and leaves no descriptor', asRoot, async () => {
    await using sandbox = new Sandbox('port68');
    const { pod, index, server } = await makeSite(sandbox);
    using _ = server;
    const before = openFds();
    assert.throws(() => holdClientPort(pod, index, ipv4('10.9.0.3')), { code: 'EADDRNOTAVAIL' });
    assert.equal(openFds(), before);
  });
});
