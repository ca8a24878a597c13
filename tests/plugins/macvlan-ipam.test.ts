import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import { fakePlugins } from '../support/fake-plugins.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { CNI_BIN } from '../support/leasehold.ts';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { addressesOf, linkOf, linksOf, routesOf, sysctlOf } from './support/kernel-view.ts';
import { addressIn, macIn, macvlan, networkOf, ROUTER, useSite } from './support/site.ts';

describe('addresses by others, and none', { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  test('no ipam: layer 2 only', async () => {
    for (const conf of [{ type: 'macvlan', master: 'eth0' }, macvlan({ ipam: {} })]) {
      const added = await site().add(networkOf([conf]));
      const { address: mac } = await linkOf(added.pod.namespace);
      const sandbox = added.attachment.netns;
      assert.deepEqual(added.result, { cniVersion: '1.0.0', interfaces: [{ name: 'eth0', mac, sandbox }] });
      assert.deepEqual(await addressesOf(added.pod.namespace), []);
      await site().daemon.runtime.check(added.network, added.attachment);
      await site().del(added);
      assert.equal((await linksOf(added.pod.namespace)).size, 0);
    }
  });

  test('host-local: its address and routes, CHECK and DEL reach it', async () => {
    const dataDir = join(site().lan.folder, 'host-local');
    await mkdir(dataDir);
    const range = { subnet: '192.168.2.0/24', rangeStart: '192.168.2.30', rangeEnd: '192.168.2.30' };
    const routes = [{ dst: '0.0.0.0/0' }, { dst: '10.9.0.0/16', gw: ROUTER }];
    const ipam = { type: 'host-local', dataDir, ranges: [[{ ...range, gateway: ROUTER }]], routes };
    const added = await site().add(networkOf([macvlan({ ipam })]));
    assert.deepEqual(added.result['ips'], [{ interface: 0, address: '192.168.2.30/24', gateway: ROUTER }]);
    assert.deepEqual(await addressesOf(added.pod.namespace), ['192.168.2.30/24']);
    assert.deepEqual(await routesOf(added.pod.namespace), [
      `10.9.0.0/16 via ${ROUTER} dev eth0`,
      '192.168.2.0/24 dev eth0',
      `default via ${ROUTER} dev eth0`,
    ]);
    assert.ok((await readdir(join(dataDir, 'lan'))).includes('192.168.2.30'));
    await site().daemon.runtime.check(added.network, added.attachment);
    await assert.rejects(site().add(added.network), {
      code: 141,
      msg: /IPAM plugin "host-local": ADD failed .*no IP addresses available/,
    });
    await site().del(added);
    assert.ok(!(await readdir(join(dataDir, 'lan'))).includes('192.168.2.30'));
    await assert.rejects(site().daemon.runtime.check(added.network, added.attachment), /not attached/);
  });

  test('static: two addresses, IPv6 among them', async () => {
    const ipam = {
      type: 'static',
      addresses: [{ address: '192.168.2.31/24', gateway: ROUTER }, { address: 'fd00:2::31/64' }],
      routes: [{ dst: '0.0.0.0/0' }, { dst: 'fd00:9::/64', gw: 'fd00:2::1' }],
    };
    const added = await site().add(networkOf([macvlan({ ipam })]));
    assert.deepEqual((await addressesOf(added.pod.namespace)).toSorted(), [
      '192.168.2.31/24',
      'fd00:2::31/64',
    ]);
    assert.match(await added.pod.namespace.ip('-6', 'route'), /fd00:9::\/64 via fd00:2::1 dev eth0/);
    assert.equal(await sysctlOf(added.pod.namespace, 'ipv6/conf/eth0/ndisc_notify'), '1');
    await site().daemon.runtime.check(added.network, added.attachment);
    await site().del(added);
  });

  test('an IPAM plugin that fails leaves no link; one that is nowhere is named', async () => {
    const pod = await site().pod();
    const bad = networkOf([macvlan({ ipam: { type: 'static', addresses: [{ address: 'nonsense' }] } })]);
    await assert.rejects(site().attach(bad, pod), { code: 141, msg: /IPAM plugin "static": ADD failed/ });
    assert.equal((await linksOf(pod.namespace)).size, 0);
    const nowhere = networkOf([macvlan({ ipam: { type: 'no-such-ipam' } })]);
    await assert.rejects(site().attach(nowhere, pod), {
      code: 140,
      msg: /"no-such-ipam" is in none of CNI_PATH/,
    });
    assert.equal((await linksOf(pod.namespace)).size, 0);
  });

  test('a plugin is given the same request, and what it answers is judged', async (t) => {
    const plugins = await fakePlugins(t);
    const runtime = new CniRuntime({
      place: site().node,
      binDirs: [CNI_BIN, plugins.binDir],
      env: { LEASEHOLD_SOCKET: site().daemon.socket },
    });
    const answer = { cniVersion: '1.0.0', ips: [{ address: '192.168.2.32/24' }] };
    await plugins.add('ours', { ADD: { stdout: JSON.stringify(answer) } });
    const network = networkOf([macvlan({ ipam: { type: 'ours', key: 'value' } })]);
    const { attachment } = await site().pod({ args: { IgnoreUnknown: '1', A: 'b' } });
    await runtime.add(network, attachment);
    await runtime.check(network, attachment);
    await runtime.del(network, attachment);
    const calls = await plugins.calls();
    assert.deepEqual(
      calls.map(({ env }) => [env['CNI_COMMAND'], env['CNI_CONTAINERID'], env['CNI_ARGS']]),
      ['ADD', 'CHECK', 'DEL'].map((verb) => [verb, attachment.containerId, 'IgnoreUnknown=1;A=b']),
    );
    assert.deepEqual(calls[0]?.stdin['ipam'], { type: 'ours', key: 'value' });
    assert.deepEqual(Object.keys((calls[1]?.stdin['prevResult'] ?? {}) as JsonObject).toSorted(), [
      'cniVersion',
      'interfaces',
      'ips',
    ]);

    const bad: readonly (readonly [string, RegExp])[] = [
      ['', /ADD printed no result/],
      ['not json', /ADD printed no JSON object/],
      ['{"cniVersion":"1.0.0","ips":[]}', /its result has no address/],
      ['{"cniVersion":"1.0.0","ips":[{"address":"300.1.1.1/24"}]}', /300\.1\.1\.1/],
    ];
    for (const [stdout, msg] of bad) {
      await plugins.add('ours', { ADD: { stdout } });
      await assert.rejects(runtime.add(network, attachment, { delOnFailure: false }), { code: 141, msg });
      assert.deepEqual((await plugins.calls()).at(-1)?.env['CNI_COMMAND'], 'DEL', 'it takes back its part');
    }
    await plugins.add('ours', { DEL: { stdout: '{"code":7,"msg":"stuck"}', status: 1 } });
    await assert.rejects(runtime.del(network, attachment), {
      code: 141,
      msg: /DEL failed \(exit 1\): stuck/,
    });
  });

  test('dns of the configuration counts instead of what the server says', async () => {
    const dns = { nameservers: ['9.9.9.9'], search: ['corp.example'], options: ['ndots:2'] };
    const added = await site().add(networkOf([macvlan({ dns })]));
    assert.deepEqual(added.result['dns'], dns);
    assert.equal((await site().leaseOf(macIn(added.result)))?.ip, addressIn(added.result));
    await site().del(added);
  });
});
