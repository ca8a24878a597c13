import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import type { Host } from '../../src/lab/host.ts';
import { ping } from '../../src/lab/ping.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { routesOf } from '../plugins/support/kernel-view.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { WAY } from './support/dhcp-on-the-wire.ts';
import { PATIENCE } from './support/fault-site.ts';
import {
  addOtherInterface,
  DATAGRAMS,
  dropAtInterface,
  dropByIptables,
  dropByNftables,
  holdPort68,
  removeAddressAndRoutes,
  sendToPort68,
} from './support/pod-faults.ts';
import { RESERVED, SHORT_LEASES, useShortLeases, type ShortLivedOptions } from './support/short-leases.ts';
import type { ShortLived } from './support/short-lived.ts';
import { addSquatter } from './support/squatter.ts';

const THIRD = { address: cidr('192.168.2.60/24') };
/** Each look is a process; twenty seconds pass until an address is put back. */
const RARELY = { ...PATIENCE, everyMs: 500 };
const FIREWALLS = [
  ['iptables', dropByIptables],
  ['nftables', dropByNftables],
] as const;
/** In REBINDING the server has not heard the pod, for what is sent to it alone is lost. */
const STATES = [
  ['RENEWING', [WAY.renewing]],
  ['REBINDING', [WAY.rebinding]],
] as const;

async function untilAddress(pod: ShortLived): Promise<void> {
  await waitFor('the pod to have its address', async () => await pod.hasAddress(), RARELY);
}

/** The lease lives on, and is given back, in these ways. */
async function assertKept(pod: ShortLived, extending: readonly string[]): Promise<void> {
  await pod.outlive();
  await untilAddress(pod);
  const ways = await pod.end();
  assert.deepEqual(
    [WAY.discover, WAY.request, ...extending, WAY.release].filter((way) => !ways.has(way)),
    [],
  );
}

describe('no pod can break its lease', { skip: NEEDS_ROOT, concurrency: 4 }, () => {
  for (const server of SHORT_LEASES) {
    describe(`at ${server.kind}`, { concurrency: 32 }, () => {
      const leases = useShortLeases(server);
      let host: Promise<Host> | undefined;
      const third = async (): Promise<Host> => await (host ??= leases().site.lan.addHost('third', THIRD));

      for (const [state, extending] of STATES) {
        const add = async (options: ShortLivedOptions = {}): Promise<ShortLived> => {
          const pod = await leases().add(options);
          if (state === 'REBINDING') await pod.loseUnicast();
          return pod;
        };

        test(`a pod in peace, in ${state}: the ways of RFC 2131, and no ICMP port unreachable`, async () => {
          await assertKept(await add(), extending);
        });

        for (const [by, drop] of FIREWALLS) {
          test(`firewall-in-pod: ${by} drops everything, in ${state}`, async () => {
            const pod = await add();
            await drop(pod.pod.namespace);
            await assertKept(pod, extending);
          });
        }

        test(`firewall-in-pod: at its interface, which ARP does not pass either, in ${state}`, async () => {
          const pod = await add();
          await pod.untilChecked();
          await dropAtInterface(pod.pod.namespace);
          await pod.forgetAtServer();
          await assertKept(pod, extending);
        });

        test(`port-68-taken: without SO_REUSEADDR, in ${state}`, async () => {
          const pod = await leases().add();
          const holder = await holdPort68(leases().site, pod.pod, 'alone');
          if (state === 'REBINDING') await pod.loseUnicast();
          await assertKept(pod, extending);
          assert.equal(holder.process.ended(), undefined);
        });

        test(`interface-down-through-t1: in ${state}, and the pod is whole when it is up again`, async () => {
          const pod = await add();
          const { namespace } = pod.pod;
          const routes = (await routesOf(namespace)).join('\n');
          await pod.untilChecked();
          await namespace.ip('link', 'set', 'eth0', 'down');
          await pod.forgetAtServer();
          await pod.outlive();
          await namespace.ip('link', 'set', 'eth0', 'up');
          await waitFor(
            'the routes to be back',
            async () => (await routesOf(namespace)).join('\n') === routes,
            RARELY,
          );
          assert.ok(await ping(namespace, pod.exchange.server, { tries: 5 }));
          await assertKept(pod, extending);
        });

        test(`address-removed-at-t1: with all its routes, in ${state}`, async () => {
          const pod = await add();
          await pod.untilChecked();
          await removeAddressAndRoutes(pod.pod.namespace);
          await pod.forgetAtServer();
          await assertKept(pod, extending);
        });

        test(`address-of-another-interface: there before the ADD, in ${state}`, async () => {
          const there = await leases().site.pod();
          await addOtherInterface(there.namespace);
          await assertKept(await add({ pod: there }), extending);
        });

        test(`address-of-another-interface: made before T1, in ${state}`, async () => {
          const pod = await add();
          await addOtherInterface(pod.pod.namespace);
          await assertKept(pod, extending);
        });
      }

      for (const [by, drop] of FIREWALLS) {
        test(`firewall-in-pod: ${by} drops everything, on a veth of another main plugin`, async () => {
          const pod = await leases().addVeth();
          await drop(pod.pod.namespace);
          await pod.outlive();
          await untilAddress(pod);
          assert.ok((await pod.ways()).has(WAY.renewing));
        });
      }

      test('port-68-taken: without SO_REUSEADDR, on a veth of another main plugin', async () => {
        const pod = await leases().addVeth();
        const holder = await holdPort68(leases().site, pod.pod, 'alone');
        await pod.outlive();
        await untilAddress(pod);
        assert.ok((await pod.ways()).has(WAY.renewing));
        assert.equal(holder.process.ended(), undefined);
      });

      test('port-68-taken: without SO_REUSEADDR, before the ADD', async () => {
        const { site } = leases();
        const there = await site.pod();
        const holder = await holdPort68(site, there, 'alone');
        await assertKept(await leases().add({ pod: there }), [WAY.renewing]);
        assert.equal(holder.process.ended(), undefined);
      });

      for (const when of ['before', 'after'] as const) {
        test(`port-68-shared: opened ${when} the ADD, it hears a third machine all the time`, async () => {
          const { site } = leases();
          const there = await site.pod();
          const early = when === 'before' ? await holdPort68(site, there, 'shared') : undefined;
          const pod = await leases().add({ pod: there });
          const { got } = early ?? (await holdPort68(site, there, 'shared'));
          await sendToPort68(site, (await third()).namespace, pod.exchange.address);
          const over = new AbortController();
          const hears = async (datagram: string): Promise<void> => {
            const count = async (): Promise<number> => (await got()).filter((one) => one === datagram).length;
            while (!over.signal.aborted) {
              const before = await count();
              await waitFor(`a datagram ${datagram}`, async () => (await count()) > before, { everyMs: 100 });
            }
          };
          await Promise.all([pod.outlive().finally(() => over.abort()), ...DATAGRAMS.map(hears)]);
          await assertKept(pod, [WAY.renewing]);
        });
      }

      test('port-68-shared: opened while the server does not answer', async () => {
        const pod = await leases().add();
        await pod.loseUnicast();
        await pod.untilState('renewing');
        const holder = await holdPort68(leases().site, pod.pod, 'shared');
        await assertKept(pod, [WAY.rebinding]);
        assert.equal(holder.process.ended(), undefined);
      });

      test('address-of-another-interface: not in a DECLINE either', async () => {
        const { lan } = leases().site;
        await addSquatter(lan, RESERVED.address);
        const there = await leases().site.pod();
        await addOtherInterface(there.namespace);
        const ipam = { conflictCheck: 'background' };
        const pod = await leases().add({ pod: there, ipam, mac: RESERVED.mac });
        assert.equal(pod.exchange.address, RESERVED.address);
        const ways = await pod.untilWay(WAY.decline);
        assert.ok(ways.has(WAY.discover) && ways.has(WAY.request));
      });
    });

    describe(`at ${server.kind}, with a daemon that was restarted`, { concurrency: 4 }, () => {
      const leases = useShortLeases(server);

      test('firewall-in-pod: the next daemon keeps the leases, too', async () => {
        const drops = [dropByIptables, dropByNftables, dropAtInterface];
        const pods = await Promise.all(drops.map(async () => await leases().add()));
        await Promise.all(pods.map(async ({ pod }, at) => await drops[at]?.(pod.namespace)));
        await leases().site.daemon.restart();
        await Promise.all(pods.map(async (pod) => await assertKept(pod, [WAY.renewing])));
      });
    });
  }
});
