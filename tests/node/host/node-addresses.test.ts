import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { millis, type Instant } from '../../../src/base/time.ts';
import { NodeAddresses } from '../../../src/node/host/node-addresses.ts';
import type { HostAddress } from '../../../src/node/host/ports.ts';
import { FakeNode, NODE, UPLINK } from './fake-node.ts';

const POD = ipv4('192.168.2.93');
const VIP = ipv4('192.168.2.9');

function at(ms: number): Instant {
  return millis(ms) as unknown as Instant;
}

function one(address: string, prefix = 24, secondary = false): HostAddress {
  return { index: 2, cidr: { address: ipv4(address), prefix }, scope: 0, secondary };
}

const OWN = one('192.168.2.125');
const SINGLE = one('192.168.2.9', 32);

test('a DHCP client that flushes and sets again does not hand the source to a virtual address', () => {
  const addresses = new NodeAddresses();
  addresses.update([OWN, SINGLE], at(0), [POD]);
  assert.equal(addresses.source, '192.168.2.125');
  addresses.update([SINGLE], at(100), [POD]);
  assert.equal(addresses.source, '192.168.2.125', 'while it is in its grace');
  addresses.update([SINGLE, OWN], at(200), [POD]);
  assert.equal(addresses.source, '192.168.2.125');
  addresses.update([SINGLE, OWN], at(5000), [POD]);
  assert.equal(addresses.source, '192.168.2.125');
});

test('a virtual address is the source when nothing else is left, until there is something better', () => {
  const addresses = new NodeAddresses();
  addresses.update([OWN, SINGLE], at(0), [POD]);
  addresses.update([SINGLE], at(100), [POD]);
  addresses.update([SINGLE], at(700), [POD]);
  assert.equal(addresses.source, '192.168.2.9');
  assert.deepEqual(addresses.wanted, ['192.168.2.9']);
  addresses.update([SINGLE, OWN], at(800), [POD]);
  assert.equal(addresses.source, '192.168.2.125');
});

test('an address in the network of the pods comes before those of other networks, whatever the order', () => {
  const addresses = new NodeAddresses();
  addresses.update([one('10.9.0.1'), SINGLE, OWN], at(0), [POD]);
  assert.equal(addresses.source, '192.168.2.125');
});

test('of equals the one of before stays, though another comes first in the kernel now', () => {
  const addresses = new NodeAddresses();
  const other = one('192.168.2.126', 24, true);
  addresses.update([OWN, other], at(0), [POD]);
  addresses.update([{ ...other, secondary: false }], at(100), [POD]);
  assert.equal(addresses.source, '192.168.2.125', 'promoted, not new');
  addresses.update(
    [
      { ...other, secondary: false },
      { ...OWN, secondary: true },
    ],
    at(200),
    [POD],
  );
  assert.equal(addresses.source, '192.168.2.125');
});

test('an address that comes in the place of the one that went is the source at once', () => {
  const addresses = new NodeAddresses();
  addresses.update([OWN], at(0), [POD]);
  addresses.update([one('192.168.2.77')], at(100), [POD]);
  assert.equal(addresses.source, '192.168.2.77');
});

test('the routes keep their source through a flush beside a virtual address', async () => {
  const node = new FakeNode();
  const cidr = { address: VIP, prefix: 32 };
  node.addressTable.push({ index: UPLINK, cidr, scope: 0, secondary: false });
  await node.side.attach(node.pod('one', POD));
  await node.pass(1000);
  for (let round = 0; round < 3; round++) {
    node.dropAddress(NODE);
    await node.pass(100);
    assert.deepEqual(node.shimView().routes, [`${POD} from ${NODE}`]);
    node.setAddress(NODE);
    await node.pass(2000);
    assert.deepEqual(node.shimView().routes, [`${POD} from ${NODE}`]);
  }
});
