import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, IPV4_BROADCAST, type Ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { BRIDGE } from '../../src/lab/home-lan.ts';
import type { Pod } from '../../src/lab/pods.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NetNs } from '../../src/kernel/netns.ts';
import { openTap } from '../../src/kernel/packet-tap.ts';
import { readLink } from '../../src/kernel/link-ioctl.ts';
import { announcement } from '../../src/protocol/acd4/packets.ts';
import { emitArpToAll } from '../../src/wire/arp.ts';
import { dhcpClientFilter } from '../../src/wire/bpf.ts';
import { parseUdp4Frame } from '../../src/wire/ip/udp4.ts';
import { openUdp } from '../kernel/support/udp-socket.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { DHCLIENT_DISCOVER_FRAME } from '../wire/dhcp4/fixtures.ts';
import { WAY } from './support/dhcp-on-the-wire.ts';
import { PATIENCE } from './support/fault-site.ts';
import { addOtherInterface } from './support/pod-faults.ts';
import {
  SHORT_LEASES,
  type ShortLivedOptions,
  useShortLeases,
  type ShortLeases,
} from './support/short-leases.ts';
import type { ShortLived } from './support/short-lived.ts';

// A pod with a second interface, as Multus makes them: RFC 2131 4.1 wants 0 as the source of what is sent without a lease.
// A UDP socket on the pod's interface leaves the choice to the kernel, which takes the address of the other one.

const THIEF = mac('02:5e:00:53:00:77');
type Kind = {
  readonly kind: string;
  readonly add: (leases: ShortLeases, options: ShortLivedOptions) => Promise<ShortLived>;
  /** The pod itself gives its lease back. */
  readonly releases: boolean;
};
const KINDS: readonly Kind[] = [
  { kind: 'macvlan', add: async (leases, options) => await leases.add(options), releases: true },
  { kind: 'leasehold', add: async (leases, options) => await leases.addLeasehold(options), releases: true },
  {
    kind: 'a macvlan of the Go plugin',
    add: async (leases, options) => await leases.addGoMacvlan(options),
    releases: true,
  },
  {
    kind: 'a veth on no uplink of ours',
    add: async (leases, options) => await leases.addVeth(options),
    releases: false,
  },
];

describe('a pod with another interface that has an address', { skip: NEEDS_ROOT, concurrency: 8 }, () => {
  const kea = SHORT_LEASES.find(({ kind }) => kind === 'kea');
  assert.ok(kea !== undefined);
  const leases = useShortLeases(kea);

  async function withOther(): Promise<Pod> {
    const pod = await leases().site.pod();
    await addOtherInterface(pod.namespace);
    await pod.namespace.ip('link', 'set', 'lo', 'down');
    return pod;
  }

  /** By a frame of the server's machine, as often as it takes. */
  async function claim(address: Ipv4, until: () => Promise<boolean>): Promise<void> {
    using router = NetNs.open(leases().site.lan.router.path);
    const index = router.run(() => readLink(BRIDGE)?.index);
    assert.ok(index !== undefined);
    await using port = router.run(() => openTap(index, dhcpClientFilter()));
    await waitFor(
      'the address to be declined',
      async () => {
        port.send(emitArpToAll(announcement(address, THIEF)));
        return await until();
      },
      { ...PATIENCE, everyMs: 200 },
    );
  }

  test('address-of-another-interface: a UDP socket on the interface has it as its source', async () => {
    const there = await withOther();
    const pod = await leases().add({ pod: there });
    const discover = parseUdp4Frame(DHCLIENT_DISCOVER_FRAME, { checksumReady: true });
    assert.ok(discover.ok);
    using netns = NetNs.open(there.namespace.path);
    // Without its own address, as before a lease.
    await there.namespace.ip('addr', 'flush', 'dev', 'eth0');
    using socket = openUdp(netns, { ifname: 'eth0', localPort: 68 });
    assert.equal(socket.send(discover.value.payload, IPV4_BROADCAST, 67), undefined);
    const source = await waitFor('the message at the server', async () => {
      const frames = await leases().atServer.frames();
      const sent = frames.find(
        (frame) =>
          frame.kind === 'dhcp' &&
          frame.fromMac === pod.exchange.client &&
          frame.message.chaddr !== pod.exchange.client,
      );
      return sent?.kind === 'dhcp' && sent.from;
    });
    assert.notEqual(source, IPV4_ANY);
    assert.equal(source, '10.99.0.2');
  });

  for (const { kind, add, releases } of KINDS) {
    test(`address-of-another-interface: ${kind}, lo down: from DISCOVER to the end`, async () => {
      const pod = await add(leases(), { pod: await withOther() });
      await pod.outlive();
      // The bridge plugin removes a veth before its IPAM hears of the DEL: that RELEASE is the host's.
      const expected = [WAY.discover, WAY.request, WAY.renewing, ...(releases ? [WAY.release] : [])];
      const ways = releases ? await pod.end() : await pod.ways();
      assert.deepEqual(
        expected.filter((way) => !ways.has(way)),
        [],
      );
    });

    test(`address-of-another-interface: ${kind}, lo down: DECLINE`, async () => {
      const pod = await add(leases(), { pod: await withOther() });
      await claim(pod.exchange.address, async () => (await pod.ways()).has(WAY.decline));
    });
  }
});
