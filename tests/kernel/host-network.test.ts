import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { ipv6 } from '../../src/base/ipv6.ts';
import { asRoot, linkOf, makePair, Sandbox } from './support/sandbox.ts';

const CHILD = join(import.meta.dirname, 'support', 'host-child.ts');

test('the node: its links and default routes, and which of them a pod hangs on', asRoot, async () => {
  await using sandbox = new Sandbox('host');
  // "left" is the node; the pod and "other", whose macvlan hangs on a device of "right", are empty at first.
  const { left, leftRtnl, rightRtnl, leftLink, rightLink } = await makePair(sandbox);
  const [pod, other] = [sandbox.namespace('pod'), sandbox.namespace('other')];
  const { index } = leftLink;
  await leftRtnl.addresses.add({ index, cidr: cidr('10.9.0.2/24') });
  await leftRtnl.routes.add({ dst: cidr('0.0.0.0/0'), gateway: ipv4('10.9.0.1'), index, metric: 100 });
  await leftRtnl.routes.add({ dst: cidr('10.7.0.0/16'), gateway: ipv4('10.9.0.1'), index });
  await leftRtnl.addresses.add({ index, cidr: cidr('fd00::2/64') });
  await leftRtnl.routes.add({ dst: cidr('::/0'), gateway: ipv6('fd00::1'), index, metric: 50 });
  await sandbox.rtnl(pod).links.add({ name: 'w0', kind: 'veth', up: true, peer: { name: 'w1' } });
  await rightRtnl.links.addMacvlan({
    name: 'm0',
    masterIndex: rightLink.index,
    netnsFd: other.fd,
    mode: 'bridge',
    up: true,
  });
  // A veth whose other end is a port of the node's bridge, one whose other end stands alone, one that leads elsewhere.
  await leftRtnl.links.add({ name: 'br0', kind: 'bridge', up: true });
  const bridge = (await linkOf(leftRtnl, 'br0')).index;
  for (const name of ['port', 'lone']) {
    const peer = { name: `to-${name}`, netnsFd: pod.fd };
    await leftRtnl.links.add({ name, kind: 'veth', up: true, peer });
  }
  const port = (await linkOf(leftRtnl, 'port')).index;
  await leftRtnl.links.set({ index: port, controllerIndex: bridge });
  await rightRtnl.links.add({ name: 'far', kind: 'veth', peer: { name: 'to-far', netnsFd: other.fd } });
  await rightRtnl.links.add({ name: 'br1', kind: 'bridge' });
  const farBridge = (await linkOf(rightRtnl, 'br1')).index;
  await rightRtnl.links.set({ index: (await linkOf(rightRtnl, 'far')).index, controllerIndex: farBridge });
  const command = ['netns', 'exec', basename(sandbox.path('left')), process.execPath, CHILD];
  const paths = [sandbox.path('pod'), 'v0', sandbox.path('other')];
  const { stdout } = await promisify(execFile)('ip', [...command, ...paths]);
  const { mac, mtu } = leftLink;
  assert.deepEqual(JSON.parse(stdout), {
    inode: left.inode,
    podInode: pod.inode,
    uplink: { index, name: 'v0', mac, mtu, up: true, lowerUp: true },
    missing: null,
    byIndex: 'v0',
    noneByIndex: null,
    defaults: [
      ['10.9.0.1', index, 100],
      ['fd00::1', index, 50],
    ],
    eth0: ['macvlan', 'bridge', 1400, true],
    again: 'EEXIST',
    // The kernel hangs a macvlan on a macvlan on the device below both. The stranger's has an index, but not here.
    lans: {
      eth0: { uplinkIndex: index, lan: { index, name: 'v0' } },
      nested: { uplinkIndex: index, lan: { index, name: 'v0' } },
      inner: {},
      lo: {},
      'to-port': { lan: { index: bridge, name: 'br0' } },
      'to-lone': {},
      stranger: {},
      'to-far': {},
    },
    sight: { index, name: 'v0', mac, mtu, up: true, lowerUp: true, hasAddress: false },
    uplinks: { eth0: index, nested: index, inner: null, lo: null, stranger: null },
  });
});

test('a namespace has an id where a link leads into it, and none elsewhere', asRoot, async () => {
  await using sandbox = new Sandbox('nsid');
  const { left, right, leftRtnl, rightRtnl } = await makePair(sandbox);
  const other = sandbox.namespace('other');
  assert.equal(await leftRtnl.namespaceId(other), -1);
  const id = await leftRtnl.namespaceId(right);
  assert.ok(id !== undefined && id >= 0);
  assert.equal(id, (await linkOf(leftRtnl, 'v0')).linkNetnsId);
  assert.equal(await rightRtnl.namespaceId(left), (await linkOf(rightRtnl, 'v1')).linkNetnsId);
  // Asking gives none.
  assert.equal(await leftRtnl.namespaceId(other), -1);
  other.close();
  await assert.rejects(leftRtnl.namespaceId(other), { name: 'SysError' });
});
