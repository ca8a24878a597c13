import type { InterfaceConfiguration } from '../../lease/ports.ts';
import { keyText, type LeaseKey, type LinkMade } from '../../lease/record.ts';
import type { AddCall, CheckCall, DelCall, NodeCall } from '../context.ts';
import type { Pod, PodLink } from '../ports.ts';
import { CniError } from '../spec/errors.ts';
import type { CniResult } from '../spec/result.ts';
import type { Mac } from '../../base/mac.ts';
import type { Duration } from '../../base/time.ts';

/** The interface that an address is wanted for. */
export type IpamTarget = {
  readonly pod: Pod;
  readonly link: PodLink & { readonly mac: Mac };
  readonly uplinkIndex: number | undefined;
  /** The interface of the daemon's namespace through which this LAN is reached. */
  readonly lan: { readonly index: number; readonly name: string } | undefined;
  /** The daemon made the link, so that it may remove it. */
  readonly owned: boolean;
  /** What it made it of, where it shall make it again when its uplink comes back. */
  readonly made?: LinkMade | undefined;
};

/** What an IPAM gave. */
export type Allocation = {
  readonly result: CniResult;
  /** What the network wants the link to have, if it says so and it is less than it has. */
  readonly mtu: number | undefined;
  /** How long the addresses are good for, from now on and if nobody extends them; undefined: for ever. */
  readonly validFor?: Duration | undefined;
  /** What the kernel shall not do of its own accord with the addresses, and a rule that goes with them. */
  readonly addressing?: Pick<InterfaceConfiguration, 'prefixRoute' | 'lookup'> | undefined;
  /** Tells the LAN of the addresses, once the link has them; undefined: the kernel does. */
  readonly announce?: (() => void) | undefined;
};

/** Who gives the addresses. Errors are thrown as CniError. */
export interface Ipam {
  /** The addresses are asked for through the interface itself, so that the LAN has to be there. */
  readonly asksTheLan: boolean;
  /** Throws for a configuration that cannot work, before anything is made for it. */
  verify(call: AddCall): void;
  add(call: AddCall, target: IpamTarget, signal: AbortSignal): Promise<Allocation>;
  /** Gives back what `add` took; for `add` that failed half-way too. */
  del(call: AddCall | DelCall): Promise<void>;
  check(call: CheckCall): Promise<void>;
  gc(call: NodeCall): Promise<void>;
  /** Throws CniError 50 or 51 where it can give no address to anybody on this node. */
  status(call: NodeCall): Promise<void>;
}

export function leaseKey(call: AddCall | DelCall | CheckCall): LeaseKey {
  const { containerId, ifname } = call.env;
  return { containerId, network: call.conf.name, ifname };
}

/** What `KeyedOperations` knows an attachment by: whatever plugin works on it, it is one lease. */
export function operationKey(key: LeaseKey): string {
  return keyText(key);
}

/** A pod's link always has a MAC address; a kind without one cannot speak DHCP. */
export function withMac(link: PodLink): PodLink & { readonly mac: Mac } {
  if (link.mac === undefined) {
    throw new CniError('link-failed', `${link.name} has no Ethernet address, which DHCP needs`);
  }
  return { ...link, mac: link.mac };
}
