import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { watchRemoval } from '../../src/kernel/link-removal.ts';
import { PodNetwork } from '../../src/kernel/pod-network.ts';
import type { Rtnl } from '../../src/kernel/rtnl.ts';
import { NUD_PERMANENT } from '../../src/wire/netlink/neighbour.ts';
import { asRoot, linkOf, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

const MAC = mac('02:00:5e:00:53:66');
const SOMEBODY = mac('02:00:5e:00:53:01');
/** A busy machine may wake us so late that the kernel's answer is there as well. */
const TRIES = 20;
const AGAIN = 50;

type Site = { readonly pod: PodNetwork; readonly rtnl: Rtnl; readonly masterIndex: number };

/** An uplink "v0" in "left", and a pod "pod". */
async function makeSite(sandbox: Sandbox): Promise<Site> {
  const { leftRtnl, leftLink } = await makePair(sandbox);
  const rtnl = sandbox.rtnl(sandbox.namespace('pod'));
  const pod = PodNetwork.open(sandbox.path('pod'), leftRtnl);
  return { pod, rtnl, masterIndex: leftLink.index };
}

async function makeLink({ pod, masterIndex }: Site): Promise<number> {
  await pod.createMacvlan({
    name: 'eth0',
    masterIndex,
    masterIn: 'host',
    up: true,
    mode: 'bridge',
    mac: MAC,
    mtu: undefined,
    bcQueueLen: undefined,
  });
  const link = pod.peek('eth0');
  assert.ok(link);
  return link.index;
}

/** The MAC addresses that an interface takes besides its own. */
function unicastFilter(sandbox: Sandbox, suffix: string, ifname: string): readonly string[] {
  const netns = sandbox.path(suffix).split('/').at(-1) ?? '';
  const text = execFileSync('bridge', ['-n', netns, 'fdb', 'show', 'dev', ifname], { encoding: 'utf8' });
  return text
    .split('\n')
    .filter((line) => line.includes(' self '))
    .map((line) => line.split(' ')[0] ?? '');
}

test('the end of a link is heard before the kernel has answered who deletes it', asRoot, async () => {
  await using sandbox = new Sandbox('link-removal');
  const site = await makeSite(sandbox);
  const netns = sandbox.namespace('other');
  const other = sandbox.rtnl(netns);
  for (let left = TRIES; ; left--) {
    await other.links.add({ name: 'd0', kind: 'veth', up: true, peer: { name: 'd1' } });
    const { index } = await linkOf(other, 'd0');
    const removal = watchRemoval(index, netns);
    const deleted = other.links.delete(index);
    const first = await Promise.race([removal.gone.then(() => 'told'), deleted.then(() => 'answered')]);
    assert.equal(await other.links.get('d0'), undefined);
    removal.close();
    await deleted;
    if (first === 'told') break;
    assert.ok(left > 1, `told first in one of ${TRIES} trials`);
  }
  site.pod.close();
});

test('a DEL that does not wait for the answer leaves nothing, and the same comes again', asRoot, async () => {
  await using sandbox = new Sandbox('link-removal');
  const site = await makeSite(sandbox);
  const { pod, rtnl, masterIndex } = site;
  const before = unicastFilter(sandbox, 'left', 'v0');
  for (let turn = 0; turn < AGAIN; turn++) {
    const index = await makeLink(site);
    assert.ok(unicastFilter(sandbox, 'left', 'v0').includes(MAC));
    await pod.ensureAddress(index, cidr('10.9.0.2/24'));
    await rtnl.neighbours.replace({ index, address: ipv4('10.9.0.1'), mac: SOMEBODY, state: NUD_PERMANENT });
    await pod.deleteLink(index);
    assert.equal(pod.peek('eth0'), undefined);
    assert.deepEqual(unicastFilter(sandbox, 'left', 'v0'), before, `turn ${turn}`);
    assert.deepEqual(sandbox.ip('pod', 'neigh', 'show', 'nud', 'all'), [], `turn ${turn}`);
    assert.deepEqual(sandbox.ip('pod', '-4', 'route', 'show', 'table', 'all'), [], `turn ${turn}`);
  }
  // Passthru lets no other be beside it, and puts the device below into promiscuous mode.
  await rtnl.links.delete(await makeLink(site));
  for (const mode of ['passthru', 'private', 'passthru'] as const) {
    await pod.createMacvlan({
      name: 'eth0',
      masterIndex,
      masterIn: 'host',
      up: true,
      mode,
      mac: undefined,
      mtu: undefined,
      bcQueueLen: undefined,
    });
    await pod.deleteLink(pod.peek('eth0')?.index ?? 0);
    const [uplink] = sandbox.ip('left', 'link', 'show', 'v0');
    assert.equal(uplink?.['promiscuity'], 0);
  }
  pod.close();
});

test('what the kernel does not delete is an error, and is not taken for gone', asRoot, async () => {
  await using sandbox = new Sandbox('link-removal');
  const site = await makeSite(sandbox);
  const { pod } = site;
  const index = await makeLink(site);
  const lo = pod.peek('lo');
  assert.ok(lo);
  const both = await Promise.allSettled([pod.deleteLink(lo.index), pod.deleteLink(index)]);
  assert.deepEqual(
    both.map((one) => (one.status === 'rejected' ? (one.reason as { code: string }).code : one.status)),
    ['EOPNOTSUPP', 'fulfilled'],
  );
  assert.ok(pod.peek('lo'));
  assert.equal(pod.peek('eth0'), undefined);
  pod.close();
});

test(
  'a link that only leaves a bridge, or another that goes, is not the end of this one',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('link-removal');
    const { left: netns, leftRtnl, leftLink } = await makePair(sandbox);
    await leftRtnl.links.add({ name: 'd0', kind: 'veth', up: true, peer: { name: 'd1' } });
    const removal = watchRemoval(leftLink.index, netns);
    let told = false;
    void removal.gone.then(() => {
      told = true;
    });
    sandbox.ip('left', 'link', 'add', 'br0', 'type', 'bridge');
    sandbox.ip('left', 'link', 'set', 'v0', 'master', 'br0');
    sandbox.ip('left', 'link', 'set', 'v0', 'nomaster');
    sandbox.ip('left', 'link', 'del', 'd0');
    const other = watchRemoval((await linkOf(leftRtnl, 'br0')).index, netns);
    sandbox.ip('left', 'link', 'del', 'br0');
    // What was told before is heard by then.
    await other.gone;
    assert.equal(told, false);
    sandbox.ip('left', 'link', 'del', 'v0');
    await removal.gone;
    other.close();
    removal.close();
  },
);

test('two hundred deletions leave no descriptor', asRoot, async () => {
  await using sandbox = new Sandbox('link-removal');
  const { leftRtnl } = await makePair(sandbox);
  const pod = PodNetwork.open(sandbox.path('left'), leftRtnl);
  // Opens what it keeps.
  await pod.deleteLink(4711);
  const before = openFds();
  await Promise.all(Array.from({ length: 200 }, () => pod.deleteLink(4711)));
  await until('the descriptors are given back', () => openFds() === before);
  pod.close();
});
