import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import type { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { goMainPlugins } from './support/go-plugins.ts';
import { linksOf, routes6Of, routesOf } from './support/kernel-view.ts';
import { macvlan, networkOf, NODE_ADDRESS, ROUTER, useSite } from './support/site.ts';

/** Two addresses and a few routes of both families, by the static IPAM: no server is needed. */
const STATIC = {
  type: 'static',
  addresses: [
    { address: '192.168.2.40/24', gateway: ROUTER },
    { address: 'fd00:2::40/64', gateway: 'fd00:2::1' },
  ],
  routes: [
    { dst: '0.0.0.0/0' },
    { dst: '10.7.0.0/16', gw: '192.168.2.9' },
    { dst: '::/0' },
    { dst: 'fd00:7::/64', gw: 'fd00:2::9' },
  ],
};
/** The Go plugin waits two seconds for IPv6 (DAD); `private` keeps pods with the same address from meeting. */
const AT_ONCE = 8;
const CONNECTED = '192.168.2.0/24 dev eth0';
const DEFAULT = `default via ${ROUTER} dev eth0`;
const TEN = '10.7.0.0/16 via 192.168.2.9 dev eth0';
const CONNECTED6 = 'fd00:2::/64 dev eth0';
const DEFAULT6 = 'default via fd00:2::1 dev eth0';
const SEVEN6 = 'fd00:7::/64 via fd00:2::9 dev eth0';

type Case = {
  readonly what: string;
  readonly conf: JsonObject;
  readonly v4: readonly string[];
  readonly v6: readonly string[];
};

const CASES: readonly Case[] = [
  {
    what: 'nothing asked, nothing changed',
    conf: {},
    v4: [TEN, CONNECTED, DEFAULT],
    v6: [DEFAULT6, CONNECTED6, SEVEN6],
  },
  { what: 'flushroutes', conf: { flushroutes: true }, v4: [CONNECTED], v6: [CONNECTED6] },
  {
    what: 'flushgateway',
    conf: { flushgateway: true },
    v4: [TEN, CONNECTED],
    v6: [CONNECTED6, SEVEN6],
  },
  {
    what: 'delroutes, of both families',
    conf: { delroutes: [{ dst: '10.7.0.0/16' }, { dst: 'fd00:7::/64' }, { dst: '10.99.0.0/16' }] },
    v4: [CONNECTED, DEFAULT],
    v6: [DEFAULT6, CONNECTED6],
  },
  {
    what: 'addroutes, of both families, with a gateway and on the link',
    conf: {
      addroutes: [
        { dst: '10.43.0.0/16', gw: NODE_ADDRESS },
        { dst: '10.44.0.0/16' },
        { dst: 'fd00:43::/64', gw: 'fd00:2::125' },
      ],
    },
    v4: [`10.43.0.0/16 via ${NODE_ADDRESS} dev eth0`, '10.44.0.0/16 dev eth0', TEN, CONNECTED, DEFAULT],
    v6: [DEFAULT6, CONNECTED6, 'fd00:43::/64 via fd00:2::125 dev eth0', SEVEN6],
  },
  {
    what: 'flushroutes and a default route of its own',
    conf: { flushroutes: true, addroutes: [{ dst: '0.0.0.0/0', gw: NODE_ADDRESS }] },
    v4: [CONNECTED, `default via ${NODE_ADDRESS} dev eth0`],
    v6: [CONNECTED6],
  },
  {
    what: 'the same destination deleted and added',
    conf: { delroutes: [{ dst: '10.7.0.0/16' }], addroutes: [{ dst: '10.7.0.0/16', gw: NODE_ADDRESS }] },
    v4: [`10.7.0.0/16 via ${NODE_ADDRESS} dev eth0`, CONNECTED, DEFAULT],
    v6: [DEFAULT6, CONNECTED6, SEVEN6],
  },
  {
    what: 'args.cni wins over the file',
    conf: {
      flushroutes: true,
      addroutes: [{ dst: '10.43.0.0/16', gw: NODE_ADDRESS }],
      args: { cni: { flushroutes: false, addroutes: [{ dst: '10.45.0.0/16', gw: NODE_ADDRESS }] } },
    },
    v4: [`10.45.0.0/16 via ${NODE_ADDRESS} dev eth0`, TEN, CONNECTED, DEFAULT],
    v6: [DEFAULT6, CONNECTED6, SEVEN6],
  },
];

describe('route-override on a kernel', { skip: NEEDS_ROOT, concurrency: AT_ONCE }, () => {
  const site = useSite({ server: { kind: 'none' } });
  let go: CniRuntime;
  before(async () => {
    go = await goMainPlugins(site(), { socket: site().daemon.socket });
  });

  /** ADD of a chain with one of the two main plugins. */
  async function attach(by: 'ours' | 'Go', conf: JsonObject) {
    const runtime = by === 'Go' ? go : site().daemon.runtime;
    const network = networkOf([
      macvlan({ mode: 'private', ipam: STATIC }),
      { type: 'route-override', ...conf },
    ]);
    const { namespace, attachment } = await site().pod();
    const { result } = await runtime.add(network, attachment, { delOnFailure: false });
    return { runtime, network, namespace, attachment, result };
  }

  for (const { what, conf, v4, v6 } of CASES) {
    for (const by of ['ours', 'Go'] as const) {
      test(`${what} (macvlan: ${by})`, async () => {
        const { runtime, network, namespace, attachment } = await attach(by, conf);
        assert.deepEqual(await routesOf(namespace), v4.toSorted());
        assert.deepEqual(await routes6Of(namespace), v6.toSorted());
        // CHECK is given the result of the whole chain, so that nothing is missed; only Debian's `static` wants to
        // find there the gateway that it gave.
        if (conf['flushgateway'] === undefined) await runtime.check(network, attachment);
        await runtime.del(network, attachment);
        assert.equal((await linksOf(namespace)).size, 0);
      });
    }
  }

  test('flushgateway takes the gateways out of the result', async () => {
    const { result, runtime, network, attachment } = await attach('ours', { flushgateway: true });
    assert.deepEqual(result['ips'], [
      { interface: 0, address: '192.168.2.40/24' },
      { interface: 0, address: 'fd00:2::40/64' },
    ]);
    assert.deepEqual(result['routes'], [
      { dst: '10.7.0.0/16', gw: '192.168.2.9' },
      { dst: 'fd00:7::/64', gw: 'fd00:2::9' },
    ]);
    await runtime.del(network, attachment);
  });

  test('CHECK: a route that is gone, another gateway, one that came back; skipcheck', async () => {
    const conf = {
      delroutes: [{ dst: 'fd00:7::/64' }],
      addroutes: [{ dst: '10.43.0.0/16', gw: NODE_ADDRESS }],
    };
    const chain = (more: JsonObject) =>
      networkOf([macvlan({ mode: 'private', ipam: STATIC }), { type: 'route-override', ...conf, ...more }]);
    const { runtime, namespace, attachment, network } = await attach('ours', conf);
    const ip = async (...args: readonly string[]): Promise<unknown> => await namespace.ip(...args);
    await ip('route', 'change', '10.43.0.0/16', 'via', ROUTER);
    await assert.rejects(runtime.check(network, attachment), {
      code: 150,
      plugin: 'route-override',
      msg: /10\.43\.0\.0\/16 via 192\.168\.2\.125 is instead 10\.43\.0\.0\/16 via 192\.168\.2\.1/,
    });
    await runtime.check(chain({ skipcheck: true }), attachment);
    await ip('route', 'change', '10.43.0.0/16', 'via', NODE_ADDRESS);
    await ip('-6', 'route', 'add', 'fd00:7::/64', 'via', 'fd00:2::9');
    await assert.rejects(runtime.check(network, attachment), {
      code: 150,
      msg: /fd00:7::\/64 via fd00:2::9 is not removed/,
    });
    await ip('-6', 'route', 'del', 'fd00:7::/64');
    await runtime.check(network, attachment);
    await ip('route', 'del', '10.43.0.0/16');
    await assert.rejects(runtime.check(network, attachment), { code: 150, msg: /10\.43\.0\.0\/16/ });
    await runtime.del(network, attachment);
  });

  const refused: readonly (readonly [string, JsonObject, { code: number; msg: RegExp }])[] = [
    [
      'a gateway that is on no network of the pod',
      { addroutes: [{ dst: '10.43.0.0/16', gw: '172.16.0.1' }] },
      { code: 109, msg: /10\.43\.0\.0\/16 via 172\.16\.0\.1 of eth0: its gateway is not on a network/ },
    ],
    [
      'a second gateway for a route that stays',
      { addroutes: [{ dst: '10.7.0.0/16', gw: NODE_ADDRESS }] },
      { code: 109, msg: /the interface keeps 10\.7\.0\.0\/16 via 192\.168\.2\.9/ },
    ],
    [
      'host bits in a destination',
      { addroutes: [{ dst: '10.43.0.1/16' }] },
      { code: 7, msg: /addroutes\[0\]\.dst: .*write 10\.43\.0\.0\/16/ },
    ],
    ['no destination', { delroutes: [{ gw: ROUTER }] }, { code: 7, msg: /delroutes\[0\]\.dst: / }],
    [
      'two families in one route',
      { addroutes: [{ dst: '10.43.0.0/16', gw: 'fd00:2::1' }] },
      { code: 7, msg: /addroutes\[0\]: / },
    ],
    ['no list', { addroutes: { dst: '10.43.0.0/16' } }, { code: 7, msg: /^addroutes: / }],
    [
      'a mistake in args.cni',
      { args: { cni: { flushroutes: 'yes' } } },
      { code: 7, msg: /^args\.cni\.flushroutes: / },
    ],
  ];
  for (const [what, conf, error] of refused) {
    test(`${what}: an error, and the routes of the pod are as they were`, async () => {
      const pod = await site().pod();
      const network = networkOf([
        macvlan({ mode: 'private', ipam: STATIC }),
        { type: 'route-override', ...conf },
      ]);
      await assert.rejects(site().attach(network, pod), { plugin: 'route-override', ...error });
      assert.deepEqual(await routesOf(pod.namespace), [TEN, CONNECTED, DEFAULT].toSorted());
      await site().daemon.runtime.del(network, pod.attachment);
    });
  }

  test('first in a chain there is nothing to work on', async () => {
    const { attachment } = await site().pod();
    const network = networkOf([{ type: 'route-override', flushroutes: true }]);
    await assert.rejects(site().daemon.runtime.add(network, attachment), {
      code: 7,
      msg: /prevResult is missing/,
    });
    await site().daemon.runtime.del(network, attachment);
  });
});
