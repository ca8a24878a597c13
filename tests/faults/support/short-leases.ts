import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import type { JsonObject } from '../../../src/base/json.ts';
import { mac, type Mac } from '../../../src/base/mac.ts';
import type { NetworkList } from '../../../src/lab/cni-conf.ts';
import type { CniRuntime } from '../../../src/lab/cni-runtime.ts';
import { BRIDGE } from '../../../src/lab/home-lan.ts';
import { UPLINK } from '../../../src/lab/host.ts';
import type { Pod } from '../../../src/lab/pods.ts';
import type { RealServer } from '../../../src/lab/server-start.ts';
import { BRIDGE as GO_BRIDGE, goMainPlugins, pluggedBridge } from '../../plugins/support/go-plugins.ts';
import { linkOf } from '../../plugins/support/kernel-view.ts';
import { ADDRESS_OUTSIDE_POOL, addressIn, macvlan, networkOf, Site } from '../../plugins/support/site.ts';
import { capture, type Capture } from './capture.ts';
import { keaOf } from './fault-site.ts';
import { ShortLived } from './short-lived.ts';

const ROUTER_MAC = mac('02:5e:00:53:00:fe');
/** Seconds. Between T2 and the end there is room for a machine that does other things too. */
const LEASE = { end: 8, t1: 2, t2: 5 } as const;
/** How long a lease of SHORT_LEASES lasts without another word, where the server can do that. */
export const LEASE_SECONDS = LEASE.end;

/** Whoever has this MAC address gets this one, outside of the pool: nobody else has it by chance. */
export const RESERVED = { mac: mac('02:5e:00:53:00:99'), address: ipv4(ADDRESS_OUTSIDE_POOL) } as const;

/**
 * Servers whose leases are renewed every two seconds. dnsmasq makes each lease last two minutes at least: that one is not
 * renewed there is seen in what the pod knows of its end.
 */
export const SHORT_LEASES: readonly RealServer[] = [
  {
    kind: 'dnsmasq',
    leaseSeconds: 120,
    dhcpOptions: [`option:T1,${LEASE.t1}`, `option:T2,${LEASE.t2}`],
    lines: [`dhcp-host=${RESERVED.mac},${RESERVED.address}`],
  },
  keaOf(LEASE.end, LEASE.t1, LEASE.t2, {
    'reservations-global': true,
    reservations: [{ 'hw-address': RESERVED.mac, 'ip-address': RESERVED.address }],
  }),
];

export type ShortLivedOptions = {
  /** A namespace that is there already. */
  readonly pod?: Pod;
  readonly ipam?: JsonObject;
  /** Of its link. */
  readonly mac?: Mac;
};

type Parts = {
  readonly site: Site;
  readonly atUplink: Capture;
  readonly atServer: Capture;
  readonly goPlugins: CniRuntime;
};

/** A site whose leases are short, with captures of DHCP, ARP and ICMP at the node's uplink and at the server. */
export class ShortLeases implements AsyncDisposable {
  readonly site: Site;
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.site = parts.site;
    this.#parts = parts;
  }

  static async open(server: RealServer): Promise<ShortLeases> {
    const site = await Site.open({ server: { kind: 'none' } });
    try {
      // A bridge takes the lowest one of its ports, and with a new port perhaps another one: Kea goes on with the old one.
      await site.lan.router.ip('link', 'set', BRIDGE, 'address', ROUTER_MAC);
      await pluggedBridge(site);
      await site.lan.startServer(server);
      const goPlugins = await goMainPlugins(site, { socket: site.daemon.socket });
      const atUplink = await capture(site.node, UPLINK, site.lan);
      const atServer = await capture(site.lan.router, BRIDGE, site.lan);
      return new ShortLeases({ site, atUplink, atServer, goPlugins });
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** ADD of a macvlan on the uplink. */
  async add(options: ShortLivedOptions = {}): Promise<ShortLived> {
    const { mac: wanted, ipam = {} } = options;
    return await this.#addOnUplink(options, [macvlan(wanted === undefined ? {} : { mac: wanted }, ipam)]);
  }

  /** The same by the one plugin that is a whole network. */
  async addLeasehold({ pod, ipam = {} }: ShortLivedOptions = {}): Promise<ShortLived> {
    return await this.#addOnUplink(pod === undefined ? {} : { pod }, [{ type: 'leasehold', ...ipam }]);
  }

  async #addOnUplink({ pod }: ShortLivedOptions, plugins: readonly JsonObject[]): Promise<ShortLived> {
    const { atUplink, atServer } = this.#parts;
    const { runtime } = this.site.daemon;
    return await this.#add(pod ?? (await this.site.pod()), networkOf(plugins), runtime, [atUplink, atServer]);
  }

  /** ADD of a macvlan by Debian's plugin, with our `dhcp`. */
  async addGoMacvlan({ pod, ipam = {} }: ShortLivedOptions = {}): Promise<ShortLived> {
    const { atUplink, atServer, goPlugins } = this.#parts;
    const network = networkOf([macvlan({}, ipam)]);
    return await this.#add(pod ?? (await this.site.pod()), network, goPlugins, [atUplink, atServer]);
  }

  /** ADD of a veth by Debian's bridge plugin, with our `dhcp`: it is on no uplink of the daemon's. */
  async addVeth({ pod, ipam = {} }: ShortLivedOptions = {}): Promise<ShortLived> {
    const network = networkOf([{ type: 'bridge', bridge: GO_BRIDGE, ipam: { type: 'dhcp', ...ipam } }]);
    const { atServer, goPlugins } = this.#parts;
    return await this.#add(pod ?? (await this.site.pod()), network, goPlugins, [atServer]);
  }

  async #add(
    pod: Pod,
    network: NetworkList,
    runtime: CniRuntime,
    captures: readonly Capture[],
  ): Promise<ShortLived> {
    const { result } = await runtime.add(network, pod.attachment, { delOnFailure: false });
    const { address } = await linkOf(pod.namespace);
    const { server, routerAddress } = this.site.lan;
    const client = mac(address);
    const exchange = {
      client,
      address: addressIn(result),
      server: routerAddress.address,
      serverMac: ROUTER_MAC,
    };
    const del = async (): Promise<void> => void (await runtime.del(network, pod.attachment));
    return await ShortLived.of({
      site: this.site,
      pod,
      server,
      exchange,
      captures,
      seconds: LEASE_SECONDS,
      del,
    });
  }

  /** What the server's machine saw so far. */
  get atServer(): Capture {
    return this.#parts.atServer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.site[Symbol.asyncDispose]();
  }
}

/** One site for all tests of a `describe`; call the result inside them. */
export function useShortLeases(server: RealServer): () => ShortLeases {
  let leases: ShortLeases | undefined;
  before(async () => {
    leases = await ShortLeases.open(server);
  });
  after(async () => await leases?.[Symbol.asyncDispose]());
  return () => {
    assert.ok(leases !== undefined, 'the site is there while tests run');
    return leases;
  };
}
