import { join } from 'node:path';
import { type Cidr, parseCidr } from '../src/base/cidr.ts';
import { invariant } from '../src/base/invariant.ts';
import type { JsonObject } from '../src/base/json.ts';
import { HomeLan } from '../src/lab/home-lan.ts';
import type { Bench } from './batch.ts';
import { Driver } from './driver.ts';
import type { Options } from './options.ts';
import { Pods } from './pods.ts';
import { dnsmasqPairs, keaControl, keaPairs } from './server-leases.ts';
import type { Programs } from './sides.ts';

/** Room for every container of a run: a RELEASE of the Go plugins v1.9.1 frees nothing at dnsmasq (docs/changing-over.md). */
export const ROUTER = '10.77.0.1/16';
const NODE = '10.77.0.2/16';

export function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  invariant(parsed !== undefined, `${text} is an address with a prefix`);
  return parsed;
}

export type KeaSettings = { readonly leaseSeconds?: number; readonly timers?: JsonObject };

/** What Kea is started with: no leases on the disk, and a socket that can be asked. */
export async function keaOptions(
  control: string,
  { leaseSeconds, timers }: KeaSettings = {},
): Promise<{
  readonly kind: 'kea';
  readonly persist: false;
  readonly dhcp4: JsonObject;
  readonly leaseSeconds?: number;
}> {
  const dhcp4 = { ...(await keaControl(control)), ...timers };
  const lease = leaseSeconds === undefined ? {} : { leaseSeconds };
  return { kind: 'kea', persist: false, dhcp4, ...lease };
}

/** The home in which all sections but those that need their own measure, and the containers' namespaces. */
export class BenchHome implements AsyncDisposable {
  readonly lan: HomeLan;
  readonly pods: Pods;
  readonly options: Options;
  readonly programs: Programs;
  readonly driver: Driver;
  readonly signal: AbortSignal;
  /** Kea's control socket. */
  readonly control: string;

  private constructor(lan: HomeLan, pods: Pods, parts: HomeParts) {
    this.lan = lan;
    this.pods = pods;
    this.options = parts.options;
    this.programs = { root: parts.options.program, goPlugins: parts.options.goPlugins };
    this.driver = new Driver(parts.options.driver);
    this.signal = parts.signal;
    this.control = join(lan.folder, 'kea.sock');
  }

  static async create(parts: HomeParts, podCount: number): Promise<BenchHome> {
    const { signal } = parts;
    const lan = await HomeLan.create({
      router: ROUTER,
      hosts: { node: { address: cidr(NODE) } },
      server: { kind: 'dnsmasq' },
      signal,
    });
    try {
      return new BenchHome(lan, await Pods.create(lan.prefix, podCount, signal), parts);
    } catch (error) {
      await lan[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The router's server is dnsmasq now. */
  async dnsmasq(): Promise<Bench> {
    await this.lan.server.stop();
    await this.lan.startServer({ kind: 'dnsmasq' }, this.signal);
    return { driver: this.driver, leased: dnsmasqPairs(this.lan), signal: this.signal };
  }

  /** It is a new Kea, which has leased nothing. */
  async kea(settings: KeaSettings = {}): Promise<Bench> {
    await this.lan.server.stop();
    await this.lan.startServer(await keaOptions(this.control, settings), this.signal);
    return { driver: this.driver, leased: keaPairs(this.control), signal: this.signal };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pods[Symbol.asyncDispose]();
    await this.lan[Symbol.asyncDispose]();
  }
}

export type HomeParts = {
  readonly options: Options;
  readonly signal: AbortSignal;
};
