import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { formatCidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { UPLINK } from '../../src/lab/host.ts';
import { startDhcpServer, type RealServer } from '../../src/lab/server-start.ts';
import type { DhcpServer, ServerSite } from '../../src/lab/server.ts';
import { linkOf } from '../plugins/support/kernel-view.ts';
import {
  addressIn,
  type Attached,
  macIn,
  macvlan,
  networkOf,
  NODE_ADDRESS,
  useSite,
  type Site,
} from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { capture, type Capture } from './support/capture.ts';
import { WAY } from './support/dhcp-on-the-wire.ts';
import { dropByIptables } from './support/pod-faults.ts';
import { LEASE_SECONDS, SHORT_LEASES } from './support/short-leases.ts';
import { ShortLived } from './support/short-lived.ts';
import { dropUnicastRequests } from './support/wire-faults.ts';

const SERVER = { address: ipv4('192.168.2.60'), prefix: 24 };
const ON_NODE = { address: ipv4(NODE_ADDRESS), prefix: 24 };
const POOL = { first: ipv4('192.168.2.100'), last: ipv4('192.168.2.120') };

/** A pod with an address by hand, which the node has a way to; it makes the node's shim. */
async function addStatic(site: Site, label: string): Promise<Attached> {
  const ipam = { type: 'static', addresses: [{ address: formatCidr(SERVER) }] };
  return await site.add(networkOf([macvlan({ ipam }), { type: 'leasehold', chained: true }]), { label });
}

async function startBeside(
  { lan }: Site,
  place: Pick<ServerSite, 'namespace' | 'interfaceName' | 'router'>,
  options: RealServer,
): Promise<DhcpServer> {
  const folder = join(lan.folder, 'beside');
  await mkdir(folder);
  return await startDhcpServer({ ...place, pool: POOL, folder, resources: lan.resources }, options);
}

describe('a DHCP server in a pod of the same node', { skip: NEEDS_ROOT, concurrency: 2 }, () => {
  for (const options of SHORT_LEASES) {
    describe(options.kind, { concurrency: 8 }, () => {
      const site = useSite({ server: { kind: 'none' } });
      let beside: Attached;
      let server: DhcpServer;
      let wire: Capture;
      before(async () => {
        beside = await addStatic(site(), 'pi-hole');
        const { namespace } = beside.pod;
        server = await startBeside(site(), { namespace, interfaceName: 'eth0', router: SERVER }, options);
        wire = await capture(namespace, 'eth0', site().lan);
      });

      async function add(): Promise<ShortLived> {
        const network = networkOf([macvlan()]);
        const { pod, result, ...attached } = await site().add(network);
        const client = macIn(result);
        const exchange = {
          client,
          address: addressIn(result),
          server: SERVER.address,
          serverMac: macIn(beside.result),
        };
        const del = async (): Promise<void> => await site().del({ pod, result, ...attached });
        return await ShortLived.of({
          site: site(),
          pod,
          server,
          exchange,
          captures: [wire],
          seconds: LEASE_SECONDS,
          del,
        });
      }

      for (const [how, disturb] of [
        ['and renewed', async () => undefined],
        [
          'and renewed with a firewall in the pod',
          async ({ pod }: ShortLived) => await dropByIptables(pod.namespace),
        ],
      ] as const) {
        test(`server-beside: a lease is had ${how}`, async () => {
          const pod = await add();
          await disturb(pod);
          await pod.outlive();
          assert.ok(await pod.hasAddress());
          const ways = await pod.end();
          assert.ok(ways.has(WAY.renewing), [...ways].join());
        });

        test(`server-beside: a lease is had ${how}, in REBINDING`, async () => {
          const pod = await add();
          await disturb(pod);
          // What one macvlan sends to another passes their uplink as if it came in there.
          const undo = await dropUnicastRequests(site().node, UPLINK, pod.exchange.client);
          await pod.outlive();
          assert.ok(await pod.hasAddress());
          await undo();
          const ways = await pod.end();
          assert.ok(ways.has(WAY.rebinding), [...ways].join());
        });
      }
    });
  }
});

describe(
  'a DHCP server on the node, which hears the pods by its shim',
  { skip: NEEDS_ROOT, concurrency: 2 },
  () => {
    for (const options of SHORT_LEASES) {
      describe(options.kind, () => {
        const site = useSite({ server: { kind: 'none' } });

        test('server-beside: a lease is had, renewed and given back', async () => {
          const { node, lan } = site();
          await addStatic(site(), 'first');
          const place = { namespace: node, interfaceName: 'lh0', router: ON_NODE };
          const server = await startBeside(site(), place, options);
          const wire = await capture(node, 'lh0', lan);
          const attached = await site().add(networkOf([{ type: 'leasehold' }]));
          const exchange = {
            client: macIn(attached.result),
            address: addressIn(attached.result),
            server: ON_NODE.address,
            serverMac: mac((await linkOf(node, 'lh0')).address),
          };
          const { pod } = attached;
          const del = async (): Promise<void> => await site().del(attached);
          const parts = {
            site: site(),
            pod,
            exchange,
            server,
            captures: [wire],
            seconds: LEASE_SECONDS,
            del,
          };
          const lived = await ShortLived.of(parts);
          await lived.outlive();
          assert.ok(await lived.hasAddress());
          const ways = await lived.end();
          assert.ok(ways.has(WAY.renewing), [...ways].join());
        });
      });
    }
  },
);
