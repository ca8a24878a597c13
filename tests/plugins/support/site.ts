import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { JsonObject } from '../../../src/base/json.ts';
import { cidr } from '../../../src/base/cidr.ts';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import { mac, type Mac } from '../../../src/base/mac.ts';
import { parseNetworkList, type Attachment, type NetworkList } from '../../../src/lab/cni-conf.ts';
import { viewResult } from '../../../src/lab/cni-result.ts';
import { getOverSocket } from '../../../src/lab/daemon.ts';
import { HomeLan, type ServerOptions } from '../../../src/lab/home-lan.ts';
import { ipv4 } from '../../../src/base/ipv4.ts';
import type { Pool } from '../../../src/lab/server.ts';
import type { ServerLease } from '../../../src/lab/lease-files.ts';
import { createPod, type Pod } from '../../../src/lab/pods.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { startLeasehold, type RunningLeasehold } from '../../support/leasehold.ts';

/** The node's own address: the gateway that the fixtures name. The pool leaves it out. */
export const NODE_ADDRESS = '192.168.2.125';
export const ROUTER = '192.168.2.1';
const POOL = { first: ipv4('192.168.2.130'), last: ipv4('192.168.2.250') };
/** Outside of the pool and of everything else. */
export const ADDRESS_OUTSIDE_POOL = '192.168.2.99';

export type SiteOptions = {
  readonly server?: ServerOptions;
  readonly pool?: Pool;
  /** The `dhcp` section of the daemon's configuration file. */
  readonly dhcp?: JsonObject;
  /** Other sections of it. */
  readonly config?: JsonObject;
  readonly binDirs?: readonly string[];
};

export type AddOptions = {
  readonly label?: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly capabilityArgs?: JsonObject;
  readonly ifName?: string;
};

/** A pod that is attached, and what its ADD answered. */
export type Attached = {
  readonly pod: Pod;
  readonly network: NetworkList;
  readonly attachment: Attachment;
  readonly result: JsonObject;
};

/** A home LAN with a node on which a daemon runs: what the tests of one file share. */
export class Site implements AsyncDisposable {
  readonly lan: HomeLan;
  readonly daemon: RunningLeasehold;
  #pods = 0;

  private constructor(lan: HomeLan, daemon: RunningLeasehold) {
    this.lan = lan;
    this.daemon = daemon;
  }

  static async open(options: SiteOptions): Promise<Site> {
    const lan = await HomeLan.create({
      pool: options.pool ?? POOL,
      hosts: { node: { address: cidr(`${NODE_ADDRESS}/24`) } },
      ...(options.server === undefined ? {} : { server: options.server }),
    });
    try {
      const config = join(lan.folder, 'daemon.json');
      await writeFile(config, JSON.stringify({ ...options.config, dhcp: options.dhcp ?? {} }));
      const { binDirs } = options;
      const args = ['--config', config];
      const daemon = await startLeasehold(lan, binDirs === undefined ? { args } : { args, binDirs });
      return new Site(lan, daemon);
    } catch (error) {
      await lan[Symbol.asyncDispose]();
      throw error;
    }
  }

  get node(): HomeLan['node']['namespace'] {
    return this.lan.node.namespace;
  }

  /** A pod's namespace with a name of its own, not attached yet. */
  async pod(options: AddOptions = {}): Promise<Pod> {
    this.#pods += 1;
    const { label = 'pod', args, ifName, capabilityArgs } = options;
    const { prefix, resources } = this.lan;
    const pod = await createPod(`${label}${this.#pods}`, {
      prefix,
      resources,
      ...(args === undefined ? {} : { args }),
      ...(ifName === undefined ? {} : { ifName }),
    });
    return capabilityArgs === undefined ? pod : { ...pod, attachment: { ...pod.attachment, capabilityArgs } };
  }

  /** Attaches a new pod as a runtime would. */
  async add(network: NetworkList, options: AddOptions = {}): Promise<Attached> {
    const pod = await this.pod(options);
    return await this.attach(network, pod);
  }

  /** ADD for a pod that is there; a failure is not cleaned up by the runtime, so that what it leaves is seen. */
  async attach(network: NetworkList, pod: Pod): Promise<Attached> {
    const { attachment } = pod;
    const { result } = await this.daemon.runtime.add(network, attachment, { delOnFailure: false });
    return { pod, network, attachment, result };
  }

  async del({ network, attachment }: Attached): Promise<void> {
    await this.daemon.runtime.del(network, attachment);
  }

  /** What the server has in its lease file for a MAC address. */
  async leaseOf(address: Mac): Promise<ServerLease | undefined> {
    return (await this.lan.server.leases()).find((lease) => lease.mac === address);
  }

  async serverLog(): Promise<string> {
    return await readFile(this.lan.server.logFile, 'utf8');
  }

  async waitForNoLease(address: Mac): Promise<void> {
    await waitFor(
      `the lease of ${address} to be gone from the server`,
      async () => (await this.leaseOf(address)) === undefined,
      { describe: async () => (await this.serverLog()).slice(-1500) },
    );
  }

  /** The names of the stored leases. */
  async records(): Promise<readonly string[]> {
    return await readdir(join(this.daemon.stateDir, 'leases'));
  }

  /** The daemon's leases, as its API gives them. */
  async daemonLeases(): Promise<readonly JsonObject[]> {
    return JSON.parse(await this.#get('/v1/leases')) as readonly JsonObject[];
  }

  async counter(name: string): Promise<number> {
    const counters = JSON.parse(await this.#get('/v1/counters')) as Readonly<Record<string, number>>;
    return counters[name] ?? 0;
  }

  async #get(path: string): Promise<string> {
    const answer = await getOverSocket(this.daemon.socket, path);
    if (answer?.status !== 200) throw new Error(`${path}: ${answer?.status ?? 'nobody listens'}`);
    return answer.body;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lan[Symbol.asyncDispose]();
  }
}

/** One site for all tests of a `describe`; call the result inside them. */
export function useSite(options: SiteOptions = {}): () => Site {
  let site: Site | undefined;
  before(async () => {
    site = await Site.open(options);
  });
  after(async () => await site?.[Symbol.asyncDispose]());
  return () => {
    if (site === undefined) throw new Error('the site is there while tests run');
    return site;
  };
}

/** A network of one plugin or several, as a .conflist would have it. */
export function networkOf(
  plugins: readonly JsonObject[],
  list: { readonly cniVersion?: string; readonly name?: string } = {},
): NetworkList {
  const { cniVersion = '1.0.0', name = 'lan' } = list;
  return parseNetworkList(JSON.stringify({ cniVersion, name, plugins }));
}

/** Our macvlan on the node's uplink with DHCP, and what a test wants besides. */
export function macvlan(conf: JsonObject = {}, ipam: JsonObject = {}): JsonObject {
  return { type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp', ...ipam }, ...conf };
}

/** The leased address that a result names. */
export function addressIn(result: JsonObject): Ipv4 {
  const { address } = viewResult(result);
  if (address === undefined) throw new Error(`no address in ${JSON.stringify(result)}`);
  return ipv4(address.address);
}

export function macIn(result: JsonObject): Mac {
  return viewResult(result).mac ?? mac('00:00:00:00:00:00');
}
