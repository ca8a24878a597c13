import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { undoHostIn } from '../support/undo.ts';
import { emptySite, endBy, startAt } from './support/site.ts';

describe('what a daemon made is taken off its node', { skip: NEEDS_ROOT }, () => {
  test('not while one runs, be it with this state folder or another', async (t) => {
    const site = await emptySite(t);
    const daemon = await startAt(site);
    await assert.rejects(
      undoHostIn(site.namespace, site.stateDir),
      /a daemon uses this folder; stop it first/,
    );
    const other = join(site.folder, 'other');
    await assert.rejects(
      undoHostIn(site.namespace, other),
      /a daemon runs on this node \(process \d+ has it\), with another state folder; stop it first/,
    );
    await endBy(daemon, 'SIGTERM');
    assert.deepEqual(await undoHostIn(site.namespace, site.stateDir), { done: [], failed: [] });
  });

  test('where there is no state folder none is made', async (t) => {
    const site = await emptySite(t);
    assert.deepEqual(await undoHostIn(site.namespace, site.stateDir), { done: [], failed: [] });
    assert.ok(!existsSync(site.stateDir));
  });

  test('by its marks where there are no records, and what others made with our protocol number or name stays', async (t) => {
    const site = await emptySite(t);
    const { namespace } = site;
    await namespace.run([
      'sh',
      '-euc',
      `ip link add eth0 type veth peer name lan
       ip link set lan up; ip link set eth0 up
       ip link add lh0 link eth0 type macvlan mode bridge
       ip link set lh0 alias 'leasehold: shim of eth0'; ip link set lh0 up
       ip addr add 192.168.5.2/32 dev lh0
       ip route add 192.168.5.9/32 dev lh0 proto 76
       ip route add 192.168.6.9/32 dev eth0
       ip link add lh1 link eth0 type macvlan mode bridge
       ip rule add iif lh0 to 10.43.0.0/16 prohibit protocol 76
       ip rule add iif lh0 to 10.44.0.0/16 prohibit
       nft 'add table inet leasehold; add table netdev leasehold; add table ip leasehold; add table inet other'
       echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding`,
    ]);
    const { done, failed } = await undoHostIn(namespace, site.stateDir);
    assert.deepEqual(failed, []);
    assert.deepEqual(done, [
      'removed lh0, with its addresses, routes and neighbours',
      'left net.ipv4.conf.eth0.forwarding at 1: what it was before is on no record',
      'removed 1 policy rule',
      'removed the nftables table inet leasehold',
      'removed the nftables table ip leasehold',
      'removed the nftables table netdev leasehold',
    ]);
    const links = await namespace.ip('-br', 'link', 'show');
    assert.match(links, /^lh1@/m);
    assert.doesNotMatch(links, /^lh0@/m);
    assert.equal((await namespace.ip('route', 'show')).trim(), '192.168.6.9 dev eth0 scope link');
    const rules = await namespace.ip('rule', 'show');
    assert.match(rules, /10\.44/);
    assert.doesNotMatch(rules, /10\.43/);
    assert.equal((await namespace.run(['nft', 'list', 'tables'])).trim(), 'table inet other');
  });

  test('a record that cannot be read is said, and keeps nothing else from being removed', async (t) => {
    const site = await emptySite(t);
    await mkdir(join(site.stateDir, 'host'), { recursive: true, mode: 0o700 });
    await writeFile(join(site.stateDir, 'host', 'a.json'), '{');
    await site.namespace.run(['nft', 'add table inet leasehold']);
    const { done, failed } = await undoHostIn(site.namespace, site.stateDir);
    assert.deepEqual(done, ['removed the nftables table inet leasehold']);
    assert.equal(failed.length, 1);
    assert.match(failed[0] ?? '', /a record of the host side cannot be read: .*a\.json/);
  });
});
