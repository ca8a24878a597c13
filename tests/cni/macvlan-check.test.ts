import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import type { JsonObject } from '../../src/base/json.ts';
import { SysError } from '../../src/base/sys-error.ts';
import type { CheckCall } from '../../src/cni/context.ts';
import { checkAttachment } from '../../src/cni/plugins/macvlan-check.ts';
import { readMacvlanConf } from '../../src/cni/plugins/macvlan-conf.ts';
import type { Pod } from '../../src/cni/ports.ts';
import { NO_ARGS } from '../../src/cni/spec/args.ts';
import { decodeConf } from '../../src/cni/spec/conf.ts';
import type { ManagedLease } from '../../src/lease/manager.ts';

const LINK = {
  index: 5,
  name: 'eth0',
  mtu: 1500,
  up: true,
  lowerUp: true,
  kind: 'macvlan',
  macvlanMode: 'bridge',
};

type Found = Awaited<ReturnType<Pod['allRoutes']>>;

function route(dst: string, table?: number): Found[number] {
  return { dst: cidr(dst), scope: 'global', ...(table === undefined ? {} : { table }) };
}

/** What is there: the routes by table, or more of them in other tables than anybody reads. */
function podWith(routes: Found, addresses: readonly string[], isFull = false): Pod {
  return {
    link: () => Promise.resolve(LINK),
    addresses: () => Promise.resolve(addresses.map(cidr)),
    routes: () => Promise.resolve(routes.filter(({ table }) => table === undefined)),
    allRoutes: () =>
      isFull ? Promise.reject(new SysError('RTM_GETROUTE', 'E2BIG')) : Promise.resolve(routes),
    lookups: () => Promise.resolve([]),
  } as unknown as Pod;
}

async function check(pod: Pod, routes: readonly JsonObject[], managed?: ManagedLease): Promise<void> {
  const prevResult = {
    cniVersion: '1.1.0',
    interfaces: [{ name: 'eth0', sandbox: '/run/netns/pod' }],
    ips: [{ address: '192.168.2.50/24', interface: 0 }],
    routes,
  };
  const conf = decodeConf(utf8(JSON.stringify({ cniVersion: '1.1.0', name: 'lan', prevResult })));
  assert.ok(conf.ok);
  const call = { env: { ifname: 'eth0' }, conf: conf.value } as unknown as CheckCall;
  await checkAttachment(call, pod, readMacvlanConf(conf.value, NO_ARGS), managed);
}

const HERE = ['192.168.2.50/24'];

describe('routes', () => {
  test('one that names no table may be in any, one that names one has to be there', async () => {
    const pod = podWith([route('0.0.0.0/0', 100), route('10.7.0.0/16', 100), route('10.8.0.0/16')], HERE);
    await check(pod, [
      { dst: '0.0.0.0/0' },
      { dst: '10.7.0.0/16', table: 100 },
      { dst: '10.8.0.0/16', table: 254 },
      { dst: '0.0.0.0/0', table: 0 },
    ]);
    const wrong: readonly (readonly [JsonObject, RegExp])[] = [
      [{ dst: '10.7.0.0/16', table: 101 }, /^the route to 10\.7\.0\.0\/16 is gone from table 101$/],
      [{ dst: '10.7.0.0/16', table: 254 }, /^the route to 10\.7\.0\.0\/16 is gone from table 254$/],
      [{ dst: '10.9.0.0/16' }, /^the route to 10\.9\.0\.0\/16 is gone$/],
    ];
    for (const [told, message] of wrong) await assert.rejects(check(pod, [told]), { code: 150, message });
  });

  test('tables that are too full to be read hold up only what is not in the main one', async () => {
    const pod = podWith([route('10.8.0.0/16')], HERE, true);
    await check(pod, [{ dst: '10.8.0.0/16' }]);
    await assert.rejects(check(pod, [{ dst: '0.0.0.0/0' }]), { code: 150, message: /0\.0\.0\.0\/0 is gone/ });
  });
});

test('of a lease with another address only the routes that the chain kept are missed', async () => {
  const lease = {
    address: cidr('192.168.2.60/24'),
    routers: [ipv4('192.168.2.1')],
    routes: ['0.0.0.0/0', '10.7.0.0/16'].map((dst) => ({ dst: cidr(dst), router: ipv4('192.168.2.1') })),
  };
  const record = { apply: { metric: undefined, routes: 'all', table: undefined, mtu: true } };
  const managed = { record, lease } as unknown as ManagedLease;
  const now = ['192.168.2.60/24'];
  // The default route was taken out by a plugin behind ours, which the result of the chain shows.
  const told = [{ dst: '10.7.0.0/16', gw: '192.168.2.1' }];
  await check(podWith([route('10.7.0.0/16')], now), told, managed);
  await assert.rejects(check(podWith([], now), told, managed), {
    code: 150,
    message: /^the route to 10\.7\.0\.0\/16 is gone$/,
  });
});
