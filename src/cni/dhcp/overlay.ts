import { DHCP4_OPTIONS } from '../../wire/dhcp4/options.ts';
import type { DhcpKeys } from './keys.ts';
import type { SentOptions } from './send.ts';

const HOST_NAME = DHCP4_OPTIONS['host-name'].code;
const FQDN = DHCP4_OPTIONS.fqdn.code;

/**
 * The keys of a network's configuration over those of the daemon's, each as a whole. A name that the network states
 * also takes the place of the same option in the daemon's `send`.
 */
export function overlay(own: DhcpKeys, defaults: DhcpKeys): DhcpKeys {
  return {
    clientId: own.clientId ?? defaults.clientId,
    hostname: own.hostname ?? defaults.hostname,
    fqdn: own.fqdn ?? defaults.fqdn,
    send: own.send ?? without(defaults.send, own),
    request: own.request ?? defaults.request,
    servers: own.servers ?? defaults.servers,
    relays: own.relays ?? defaults.relays,
    conflictCheck: own.conflictCheck ?? defaults.conflictCheck,
    ipv6Only: own.ipv6Only ?? defaults.ipv6Only,
    broadcast: own.broadcast ?? defaults.broadcast,
    rapidCommit: own.rapidCommit ?? defaults.rapidCommit,
    forceRenew: own.forceRenew ?? defaults.forceRenew,
  };
}

function without(send: SentOptions | undefined, { hostname, fqdn }: DhcpKeys): SentOptions | undefined {
  if (send === undefined || (hostname === undefined && fqdn === undefined)) return send;
  const left = new Map(send);
  if (hostname !== undefined) left.delete(HOST_NAME);
  if (fqdn !== undefined) left.delete(FQDN);
  return left;
}
