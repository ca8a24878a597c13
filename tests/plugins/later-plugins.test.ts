import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { linkOf, linksOf } from './support/kernel-view.ts';
import { type Attached, macvlan, networkOf, useSite } from './support/site.ts';

/** The first table that `sbr` takes. */
const SBR_TABLE = '100';
const SERVICES = '10.43.0.0/16';
const SBR = { type: 'sbr' };

async function routesOf({ pod }: Attached, table: string): Promise<string> {
  return await pod.namespace.ip('-4', 'route', 'show', 'dev', 'net1', 'table', table);
}

describe('CHECK behind plugins that change what ours made', { skip: NEEDS_ROOT }, () => {
  const site = useSite({
    server: { kind: 'dnsmasq', dhcpOptions: ['121,10.7.0.0/16,192.168.2.9,0.0.0.0/0,192.168.2.1'] },
  });

  /** A second interface of a pod, which is what these plugins are for. */
  async function second(plugins: readonly JsonObject[]): Promise<Attached> {
    const { namespace, attachment } = (await site().add(networkOf([macvlan()]))).pod;
    const pod = { name: 'second', namespace, attachment: { ...attachment, ifName: 'net1' } };
    return await site().attach(networkOf(plugins, { name: 'lan2' }), pod);
  }

  async function check({ network, attachment }: Attached): Promise<void> {
    await site().daemon.runtime.check(network, attachment);
  }

  test('sbr moves the routes into a table of its own; one that is in none is missed', async () => {
    const added = await second([macvlan(), SBR]);
    assert.doesNotMatch(await routesOf(added, 'main'), /default|10\.7/);
    assert.match(await routesOf(added, SBR_TABLE), /default via 192\.168\.2\.1/);
    await check(added);
    const { namespace } = added.pod;
    await namespace.ip('route', 'del', '10.7.0.0/16', 'dev', 'net1', 'table', SBR_TABLE);
    await assert.rejects(check(added), { code: 150, msg: /^the route to 10\.7\.0\.0\/16 is gone$/ });
    // In a table of another interface it is not this one's.
    await namespace.ip(
      'route',
      'add',
      '10.7.0.0/16',
      'via',
      '192.168.2.9',
      'dev',
      'eth0',
      'table',
      SBR_TABLE,
    );
    await assert.rejects(check(added), { code: 150, msg: /the route to 10\.7\.0\.0\/16 is gone/ });
    await site().del(added);
  });

  test('as vrf does it: all routes in a table of many digits, the way to the services too', async () => {
    const table = '4242';
    const added = await second([{ type: 'leasehold', services: SERVICES }]);
    const { namespace } = added.pod;
    const ways = [
      [],
      ['via', '192.168.2.9'],
      ['via', '192.168.2.1'],
      ['via', '169.254.1.1', 'onlink'],
    ] as const;
    for (const [at, dst] of ['192.168.2.0/24', '10.7.0.0/16', 'default', SERVICES].entries()) {
      await namespace.ip('route', 'add', dst, ...(ways[at] ?? []), 'dev', 'net1', 'table', table);
      await namespace.ip('route', 'del', dst, 'dev', 'net1', 'table', 'main');
    }
    assert.equal(await routesOf(added, 'main'), '');
    await check(added);
    await namespace.ip('route', 'del', SERVICES, 'dev', 'net1', 'table', table);
    await assert.rejects(check(added), { code: 150, msg: /no route to 10\.43\.0\.0\/16 by 169\.254\.1\.1/ });
    await site().del(added);
  });

  test('route-override in between, whose routes are moved likewise', async () => {
    const override = {
      type: 'route-override',
      delroutes: [{ dst: '10.7.0.0/16' }],
      addroutes: [{ dst: '10.9.0.0/16', gw: '192.168.2.9' }],
    };
    const added = await second([macvlan(), override, SBR]);
    assert.match(await routesOf(added, SBR_TABLE), /10\.9\.0\.0\/16 via 192\.168\.2\.9/);
    await check(added);
    await added.pod.namespace.ip('route', 'del', '10.9.0.0/16', 'dev', 'net1', 'table', SBR_TABLE);
    await assert.rejects(check(added), { code: 150, msg: /10\.9\.0\.0\/16/ });
    await site().del(added);
  });

  test('tuning changes MAC address and MTU, and says so in the result', async () => {
    const tuned = { mac: '02:5e:00:53:09:01', mtu: 1300 };
    const dataDir = join(site().lan.folder, 'tuning');
    for (const main of [macvlan(), { type: 'leasehold' }]) {
      const added = await second([main, { type: 'tuning', ...tuned, dataDir }]);
      const link = await linkOf(added.pod.namespace, 'net1');
      assert.deepEqual({ mac: link.address, mtu: link.mtu }, tuned);
      await check(added);
      await site().del(added);
      assert.ok(!(await linksOf(added.pod.namespace)).has('net1'));
    }
  });
});
