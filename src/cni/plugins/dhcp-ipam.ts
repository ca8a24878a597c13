import type { SysError } from '../../base/sys-error.ts';
import { seconds } from '../../base/time.ts';
import { addressing, isUsual } from '../../lease/configuration.ts';
import type { AcquireRequest } from '../../lease/request.ts';
import { keyText } from '../../lease/record.ts';
import { readopt, type Readoption, type RequestFor } from '../adopt/readopt.ts';
import type { AddCall, CheckCall, DelCall, PluginServices } from '../context.ts';
import { podOf } from '../spec/args.ts';
import { CniError } from '../spec/errors.ts';
import { EMPTY_RESULT } from '../spec/result.ts';
import { NO_KEYS } from '../dhcp/keys.ts';
import { type DhcpConf, goKeysOnly, readDhcpConf } from './dhcp-conf.ts';
import { leaseResult } from './dhcp-result.ts';
import { diagnosed } from './diagnosed.ts';
import { leaseError } from './failures.ts';
import { type Allocation, type Ipam, type IpamTarget, leaseKey } from './ipam.ts';

/** How long a CHECK waits for the server to confirm what it takes up. */
const TAKE_UP_LIMIT = seconds(4);

type Target = Pick<AcquireRequest, 'pod' | 'link' | 'owned' | 'made' | 'uplinkIndex' | 'lan'>;

/** Addresses from the network's DHCP server, by the daemon's own client. */
export class DhcpIpam implements Ipam {
  readonly asksTheLan = true;
  readonly #services: PluginServices;
  readonly #linkGoes: boolean;
  /** Each call's configuration is read once: `verify` wants it before the link is made, `add` after. */
  readonly #confs = new WeakMap<AddCall | CheckCall, DhcpConf>();

  /** `linkGoes`: whoever calls `del` removes the link next. */
  constructor(services: PluginServices, linkGoes: boolean) {
    this.#services = services;
    this.#linkGoes = linkGoes;
  }

  verify(call: AddCall): void {
    this.#confOf(call);
  }

  #confOf(call: AddCall | CheckCall): DhcpConf {
    const known = this.#confs.get(call);
    if (known !== undefined) return known;
    const conf = readDhcpConf(call.conf, call.env, this.#services.dhcp);
    if (!this.#linkGoes && !isUsual(conf.apply)) throw notHere();
    this.#confs.set(call, conf);
    return conf;
  }

  async add(call: AddCall, target: IpamTarget, signal: AbortSignal): Promise<Allocation> {
    const { env } = call;
    const key = leaseKey(call);
    const { apply, notes } = this.#confOf(call);
    for (const { event, text } of notes) {
      this.#services.count(event);
      this.#services.log.warn({ lease: keyText(key), why: text }, 'an identity is not what was configured');
    }
    const request = this.#request(call, target, this.#confOf(call));
    const lease = await this.#services.leases.acquire(request, signal);
    if (!lease.ok) {
      const failed = leaseError(lease.error, env.ifname, signal);
      throw await diagnosed(failed, this.#services, target.lan, signal, request.client);
    }
    // The network wants to be without IPv4 (RFC 8925): there is nothing to configure, and nothing has failed.
    if (lease.value === undefined) return { result: EMPTY_RESULT, mtu: undefined };
    const { mtu } = lease.value;
    return {
      result: leaseResult(lease.value, apply),
      mtu: mtu === undefined || !apply.mtu || mtu >= target.link.mtu ? undefined : mtu,
      validFor: this.#services.leases.leftOf(lease.value),
      addressing: addressing(apply),
      announce: () => this.#services.leases.announce(key),
    };
  }

  #request(call: AddCall | CheckCall, target: Target, conf: DhcpConf): AcquireRequest {
    const { clientFor, apply, conflictCheck, remember } = conf;
    const client = clientFor(target.link.mac);
    return {
      key: leaseKey(call),
      netnsPath: call.env.netns,
      podName: podOf(call.env.args),
      ...target,
      client,
      apply,
      conflictCheck,
      remember,
    };
  }

  async del(call: AddCall | DelCall): Promise<void> {
    await this.#services.leases.release(leaseKey(call), this.#linkGoes);
  }

  /**
   * Whether there is a lease. One that the daemon does not know, of another daemon or of a state folder that was lost,
   * is taken up again for the container that runs: its server is asked for the address that it has.
   */
  async check(call: CheckCall): Promise<void> {
    const { leases } = this.#services;
    const key = leaseKey(call);
    const managed = leases.get(key);
    if (managed?.lease !== undefined || managed?.record.state.kind === 'ipv6-only') return;
    const { ifname, containerId } = call.env;
    const who = `${ifname} of ${containerId}`;
    if (managed !== undefined) {
      throw new CniError('check-mismatch', `the lease of ${who} was lost; a new one is sought`);
    }
    const found = await this.adopt(call);
    if (found.kind === 'refused') {
      throw new CniError('check-mismatch', `no lease is known for ${who}, and none to take up: ${found.why}`);
    }
    const lease = await leases.awaitLease(key, TAKE_UP_LIMIT);
    if (lease !== undefined) return;
    throw new CniError(
      'check-mismatch',
      `no lease was known for ${who}; no server has confirmed its address yet, and it is asked for again and again`,
    );
  }

  /** Goes on with the address that a running container has, as `readopt` says. */
  adopt(call: CheckCall): Promise<Readoption> {
    const requestFor: RequestFor = (_, target) => this.#request(call, target, this.#confOf(call));
    return readopt(this.#services, call, requestFor, this.#linkGoes);
  }

  /**
   * The same for one that a Go daemon served: as the client that that one was, whatever this daemon's own defaults and
   * keys are. To the server another identifier would be another client, and it would refuse the address.
   */
  adoptFromGo(call: CheckCall): Promise<Readoption> {
    const settings = { ...this.#services.dhcp, defaults: NO_KEYS };
    const conf = readDhcpConf(goKeysOnly(call.conf), call.env, settings);
    const requestFor: RequestFor = (_, target) => this.#request(call, target, conf);
    return readopt(this.#services, call, requestFor, this.#linkGoes);
  }

  /**
   * The daemon that answers is the daemon that gives the leases: if it can keep them. A server that is silent, or has no
   * address left, is none of it: a runtime says that the node is not ready then, and Kubernetes evicts the pods that run.
   */
  async status(): Promise<void> {
    const unwritable = await this.#services.store.writable();
    if (unwritable !== undefined) {
      throw new CniError('not-available', unkeepable(unwritable));
    }
  }

  gc(): Promise<void> {
    return Promise.resolve();
  }
}

/** Of the daemon's store: why no lease can be given. */
export function unkeepable(error: SysError): string {
  return `leases cannot be kept: ${error.message}`;
}

/** Another main plugin puts the address on, with the kernel's own route, and no result can tell it not to. */
function notHere(): CniError {
  return new CniError(
    'invalid-config',
    'ipam.routes: "none", a table and a metric of "subnet" need an interface that this daemon configures: ' +
      'use "leasehold" or its own "macvlan" as the type of the network, or leave them out',
  );
}
