import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCidr, networkOf, parseCidr, type Cidr } from '../base/cidr.ts';
import { invariant } from '../base/invariant.ts';
import { isIpv4 } from '../base/ip.ts';
import { ipv4FromNumber, ipv4ToNumber, type Ipv4 } from '../base/ipv4.ts';
import { createHost, type AddressSource, type Host } from './host.ts';
import { Namespace } from './namespace.ts';
import { namespaceName, uniquePrefix } from './names.ts';
import { Resources } from './resources.ts';
import { startDhcpServer, type RealServer } from './server-start.ts';
import type { DhcpServer, Pool } from './server.ts';

/** The router's side of the LAN. */
export const BRIDGE = 'br0';
const DEFAULT_ROUTER = '192.168.2.1/24';
/** A pool leaves the first addresses of its network to devices that have theirs by hand, as home routers do. */
const POOL_STARTS_AT = 50;
const ALL_ONES_V4 = 0xffff_ffff;

export type ServerOptions = RealServer | { readonly kind: 'none' };

export type HomeLanOptions = {
  /** Names of namespaces start with it; by default one that is this process's own. */
  readonly prefix?: string;
  /** For configuration, leases and logs; by default a temporary one, removed at the end. A given one is left to its owner. */
  readonly folder?: string;
  /** The router's address with its prefix length. */
  readonly router?: string;
  /** By default from .50 to the last but one of the network. */
  readonly pool?: Pool;
  readonly server?: ServerOptions;
  /** Hosts and where their address comes from; by default node and laptop, both by DHCP. */
  readonly hosts?: Readonly<Record<string, AddressSource>>;
  /** Where things made are registered; the home disposes of one that it made itself. */
  readonly resources?: Resources;
  readonly signal?: AbortSignal | undefined;
};

/** `10.0.0.1/16` gives 10.0.0.50 to 10.0.255.253. */
export function defaultPool(router: Cidr<Ipv4>): Pool {
  const network = ipv4ToNumber(networkOf(router).address);
  const broadcast = (network | (ALL_ONES_V4 >>> router.prefix)) >>> 0;
  invariant(broadcast - network > POOL_STARTS_AT + 2, 'a network of this size needs a pool given by hand');
  return { first: ipv4FromNumber(network + POOL_STARTS_AT), last: ipv4FromNumber(broadcast - 2) };
}

function routerAddress(text: string): Cidr<Ipv4> {
  const parsed = parseCidr(text);
  invariant(
    parsed !== undefined && isIpv4(parsed.address),
    `the router's address is like 192.168.2.1/24: ${text}`,
  );
  return { address: parsed.address, prefix: parsed.prefix };
}

/**
 * A home network in network namespaces: a router with a bridge, DHCP and DNS, and hosts with a cable to it. Nothing of
 * it is in the machine's own namespace, and it has no way out. Disposing removes it.
 */
export class HomeLan implements AsyncDisposable {
  readonly prefix: string;
  readonly folder: string;
  readonly router: Namespace;
  readonly routerAddress: Cidr<Ipv4>;
  readonly pool: Pool;
  readonly resources: Resources;
  readonly #owned: boolean;
  #server: DhcpServer | undefined;
  #serverFolders = 0;
  #hosts = new Map<string, Host>();

  private constructor(parts: {
    readonly prefix: string;
    readonly folder: string;
    readonly router: Namespace;
    readonly routerAddress: Cidr<Ipv4>;
    readonly pool: Pool;
    readonly resources: Resources;
    readonly owned: boolean;
  }) {
    this.prefix = parts.prefix;
    this.folder = parts.folder;
    this.router = parts.router;
    this.routerAddress = parts.routerAddress;
    this.pool = parts.pool;
    this.resources = parts.resources;
    this.#owned = parts.owned;
  }

  /** Builds it whole, or removes what there was of it and throws. */
  static async create(options: HomeLanOptions = {}): Promise<HomeLan> {
    const resources = options.resources ?? new Resources();
    const owned = options.resources === undefined;
    try {
      const lan = await HomeLan.#withRouter(options, resources, owned);
      for (const [name, address] of Object.entries(options.hosts ?? { node: 'dhcp', laptop: 'dhcp' })) {
        await lan.#plug(name, address);
      }
      // After the cables: a bridge without any has no carrier, and Kea does not listen on such an interface.
      await lan.startServer(options.server ?? { kind: 'dnsmasq' }, options.signal);
      await Promise.all([...lan.#hosts.values()].map((host) => host.configure(options.signal)));
      return lan;
    } catch (error) {
      if (owned) await resources[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async #withRouter(options: HomeLanOptions, resources: Resources, owned: boolean): Promise<HomeLan> {
    const prefix = options.prefix ?? uniquePrefix();
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), `${prefix}-`)));
    if (options.folder === undefined) resources.add({ kind: 'folder', path: folder });
    const address = routerAddress(options.router ?? DEFAULT_ROUTER);
    const router = await Namespace.create(namespaceName(prefix, 'router'), resources);
    await router.ip('link', 'add', BRIDGE, 'type', 'bridge');
    await router.ip('addr', 'add', formatCidr(address), 'dev', BRIDGE);
    await router.ip('link', 'set', BRIDGE, 'up');
    const pool = options.pool ?? defaultPool(address);
    return new HomeLan({ prefix, folder, router, routerAddress: address, pool, resources, owned });
  }

  get server(): DhcpServer {
    invariant(this.#server !== undefined, 'this home was made without a DHCP server');
    return this.#server;
  }

  get hosts(): readonly Host[] {
    return [...this.#hosts.values()];
  }

  /** A host by its name; to ask for one that was never made is a bug of the caller. */
  host(name: string): Host {
    const host = this.#hosts.get(name);
    invariant(host !== undefined, `no host ${name}`);
    return host;
  }

  get node(): Host {
    return this.host('node');
  }

  get laptop(): Host {
    return this.host('laptop');
  }

  /** Starts a server (for a home made without one, or after `server.stop()`); leases of a stopped one are kept. */
  async startServer(options: ServerOptions, signal?: AbortSignal): Promise<void> {
    this.#server = options.kind === 'none' ? undefined : await this.#start(options, this.pool, signal);
  }

  /** A server that knows nothing of what the one before has leased, at the same address; by default with its pool. */
  async startNewServer(options: RealServer, pool: Pool = this.pool): Promise<void> {
    this.#serverFolders += 1;
    this.#server = await this.#start(options, pool);
  }

  async #start(options: RealServer, pool: Pool, signal?: AbortSignal): Promise<DhcpServer> {
    const folder = join(this.folder, `router${this.#serverFolders === 0 ? '' : this.#serverFolders}`);
    await mkdir(folder, { recursive: true });
    const { router: namespace, routerAddress: router, resources } = this;
    const site = { namespace, interfaceName: BRIDGE, router, pool, folder, resources, signal };
    return await startDhcpServer(site, options);
  }

  /** One more machine at home, with its address when this returns. */
  async addHost(name: string, address: AddressSource = 'dhcp'): Promise<Host> {
    const host = await this.#plug(name, address);
    await host.configure();
    return host;
  }

  async #plug(name: string, address: AddressSource): Promise<Host> {
    const host = await createHost(name, address, {
      prefix: this.prefix,
      folder: join(this.folder, name),
      router: this.router,
      routerAddress: this.routerAddress,
      bridge: BRIDGE,
      port: this.#hosts.size + 1,
      resources: this.resources,
    });
    this.#hosts.set(name, host);
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#owned) await this.resources[Symbol.asyncDispose]();
  }
}
