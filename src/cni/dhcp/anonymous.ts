import { isLocalMac, type Mac } from '../../base/mac.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { ANONYMOUS_REQUEST } from '../../protocol/dhcp4/anonymity.ts';
import { DHCP4_OPTIONS } from '../../wire/dhcp4/options.ts';
import type { CniArgs } from '../spec/args.ts';
import type { NetConf } from '../spec/conf.ts';
import type { CniError } from '../spec/errors.ts';
import { objectAt } from '../spec/schema.ts';
import type { DhcpKeys } from './keys.ts';
import { invalid } from './option-row.ts';

// `clientId: "anonymous"`, which `identity: "anonymous"` of type `leasehold` stands for: RFC 7844 section 3. What a network's
// own configuration states against it is refused by name. What the daemon's file has for all networks gives way to it.

const V6_ONLY = DHCP4_OPTIONS['v6-only-preferred'].code;

/** Whether the keys that count, of a network over those of the daemon, want nobody to know the pod again. */
export function isAnonymous({ clientId }: Pick<DhcpKeys, 'clientId'>, defaults?: DhcpKeys): boolean {
  return (clientId ?? defaults?.clientId)?.kind === 'anonymous';
}

/** Option 55, the same for all (RFC 7844 3.6); its order is another one in each message. */
export function anonymousRequest(ipv6Only: boolean): readonly number[] {
  return ipv6Only ? [...ANONYMOUS_REQUEST, V6_ONLY] : ANONYMOUS_REQUEST;
}

/** The daemon's keys without those that would tell pods apart. */
export function withoutIdentity(defaults: DhcpKeys): DhcpKeys {
  return {
    ...defaults,
    hostname: undefined,
    fqdn: undefined,
    send: undefined,
    request: undefined,
    rapidCommit: undefined,
    forceRenew: undefined,
  };
}

/** Refuses what an anonymous client does not say. Throws CniError 7 naming the key from `at` on. */
export function refuseIdentifying(keys: DhcpKeys, at: string): void {
  const { hostname = [], fqdn, send, request, rapidCommit, forceRenew } = keys;
  const stated = [
    ['hostname', hostname.length > 0],
    ['fqdn', (fqdn?.name.length ?? 0) > 0],
    ['send', (send?.size ?? 0) > 0],
    ['request', request !== undefined && (request.codes.length > 0 || !request.withDefaults)],
    ['rapidCommit', rapidCommit === true],
    ['forceRenew', forceRenew === true],
  ] as const;
  const [key] = stated.find(([, isThere]) => isThere) ?? [];
  if (key !== undefined) throw identifying(`${at}.${key}`);
}

/** The same of the Go plugin's list. */
export function refuseProvide(entries: readonly unknown[], at: string): void {
  if (entries.length > 0) throw identifying(`${at}.provide`);
}

/**
 * Refuses a MAC or IP address that the network or the runtime states: the pod would be known by it. (The key `mac`, then as
 * `readMacvlanConf` and `wantedAddress` have them.)
 */
export function refuseAddresses(conf: NetConf, args: CniArgs, wanted: Ipv4 | undefined): void {
  const { mac } = conf.raw;
  if (mac !== undefined && mac !== null && mac !== '' && mac !== 'random') throw identifying('mac');
  const macs = [
    ['runtimeConfig.mac', conf.runtimeConfig['mac']],
    ['args.cni.mac', objectAt(conf.args, 'cni')?.['mac']],
    ['CNI_ARGS MAC', args.values.get('MAC')],
  ] as const;
  for (const [at, text] of macs) if ((text ?? '') !== '') throw identifying(at);
  if (wanted !== undefined) throw identifying(`runtimeConfig.ips, args.cni.ips or CNI_ARGS IP (${wanted})`);
}

/** RFC 7844 2.6: anonymity begins with a link-layer address that is random; a card's own is known everywhere. */
export function refuseBurnedIn(mac: Mac): void {
  if (isLocalMac(mac)) return;
  throw invalid(
    `clientId: "anonymous" needs a random MAC address, and ${mac} is one that a manufacturer gave: let the interface have another one`,
  );
}

/** What is said of a key that stands against it. */
export function identifying(at: string): CniError {
  return invalid(`${at}: says more of the pod than "anonymous" allows (RFC 7844): remove one of the two`);
}
