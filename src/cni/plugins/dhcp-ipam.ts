import type { LeaseManager } from '../../lease/manager.ts';
import type { AddCall, CheckCall, DelCall, DhcpSettings, PluginServices } from '../context.ts';
import { CniError } from '../spec/errors.ts';
import { type DhcpConf, readDhcpConf } from './dhcp-conf.ts';
import { leaseResult } from './dhcp-result.ts';
import { leaseError } from './failures.ts';
import { type Allocation, type Ipam, type IpamTarget, leaseKey } from './ipam.ts';

/** Addresses from the network's DHCP server, by the daemon's own client. */
export class DhcpIpam implements Ipam {
  readonly #leases: LeaseManager;
  readonly #settings: DhcpSettings;
  readonly #linkGoes: boolean;
  /** Each call's configuration is read once: `verify` wants it before the link is made, `add` after. */
  readonly #confs = new WeakMap<AddCall, DhcpConf>();

  /** `linkGoes`: whoever calls `del` removes the link next. */
  constructor({ leases, dhcp }: PluginServices, linkGoes: boolean) {
    this.#linkGoes = linkGoes;
    this.#leases = leases;
    this.#settings = dhcp;
  }

  verify(call: AddCall): void {
    this.#confOf(call);
  }

  #confOf(call: AddCall): DhcpConf {
    const known = this.#confs.get(call);
    if (known !== undefined) return known;
    const conf = readDhcpConf(call.conf, call.env.args, leaseKey(call), this.#settings);
    this.#confs.set(call, conf);
    return conf;
  }

  async add(call: AddCall, target: IpamTarget, signal: AbortSignal): Promise<Allocation> {
    const { env, conf } = call;
    const key = leaseKey(call);
    const { client, priority } = this.#confOf(call);
    const lease = await this.#leases.acquire(
      {
        key,
        netnsPath: env.netns,
        pod: target.pod,
        link: target.link,
        owned: target.owned,
        uplinkIndex: target.uplinkIndex,
        client,
      },
      signal,
    );
    if (!lease.ok) throw leaseError(lease.error, env.ifname, signal);
    const configured = conf.raw['mtu'];
    const explicit = typeof configured === 'number' && configured > 0;
    const { mtu } = lease.value;
    return {
      result: leaseResult(lease.value, priority),
      mtu: mtu === undefined || explicit || mtu >= target.link.mtu ? undefined : mtu,
    };
  }

  async del(call: AddCall | DelCall): Promise<void> {
    await this.#leases.release(leaseKey(call), this.#linkGoes);
  }

  check(call: CheckCall): Promise<void> {
    const managed = this.#leases.get(leaseKey(call));
    if (managed?.lease !== undefined) return Promise.resolve();
    const text =
      managed === undefined
        ? `no lease is known for ${call.env.ifname} of ${call.env.containerId}`
        : `the lease of ${call.env.ifname} of ${call.env.containerId} was lost; a new one is sought`;
    return Promise.reject(new CniError('check-mismatch', text));
  }

  /** The daemon that answers is the daemon that gives the leases. */
  status(): Promise<void> {
    return Promise.resolve();
  }

  gc(): Promise<void> {
    return Promise.resolve();
  }
}
