import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { formatCidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { UPLINK } from '../../src/lab/host.ts';
import { startDhcpServer } from '../../src/lab/server-start.ts';
import type { DhcpServer } from '../../src/lab/server.ts';
import { addressIn, macIn, macvlan, networkOf, useSite, type Attached } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { capture, type Capture } from './support/capture.ts';
import { WAY } from './support/dhcp-on-the-wire.ts';
import { dropByIptables } from './support/pod-faults.ts';
import { LEASE_SECONDS, SHORT_LEASES } from './support/short-leases.ts';
import { ShortLived } from './support/short-lived.ts';
import { dropUnicastRequests } from './support/wire-faults.ts';

const SERVER = { address: ipv4('192.168.2.60'), prefix: 24 };
const POOL = { first: ipv4('192.168.2.100'), last: ipv4('192.168.2.120') };

describe('a DHCP server in a pod of the same node', { skip: NEEDS_ROOT, concurrency: 2 }, () => {
  for (const options of SHORT_LEASES) {
    describe(options.kind, { concurrency: 8 }, () => {
      const site = useSite({ server: { kind: 'none' } });
      let beside: Attached;
      let server: DhcpServer;
      let wire: Capture;
      before(async () => {
        const ipam = { type: 'static', addresses: [{ address: formatCidr(SERVER) }] };
        const chained = { type: 'leasehold', chained: true };
        beside = await site().add(networkOf([macvlan({ ipam }), chained]), { label: 'pi-hole' });
        const { namespace } = beside.pod;
        const { resources } = site().lan;
        const folder = join(site().lan.folder, 'pi-hole');
        await mkdir(folder);
        const place = { namespace, interfaceName: 'eth0', router: SERVER, pool: POOL, folder, resources };
        server = await startDhcpServer(place, options);
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
