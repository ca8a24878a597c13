import { DHCP4_OPTIONS } from '../../wire/dhcp4/options.ts';
import type { DhcpKeys } from './keys.ts';
import type { SentOptions } from './send.ts';

const HOST_NAME = DHCP4_OPTIONS['host-name'].code;
const FQDN = DHCP4_OPTIONS.fqdn.code;

/**
 * The keys of a network's configuration over those of the daemon's, each as a whole. A name that the network states
 * also takes the place of the same option in the daemon's `send`; and a host name, in whatever key (`provided`: options of
 * `provide`), that of an FQDN of the daemon's, beside which it could not be sent (RFC 4702 3.1).
 */
export function overlay(own: DhcpKeys, defaults: DhcpKeys, provided: SentOptions): DhcpKeys {
  const hasHostName =
    (own.hostname ?? []).length > 0 || own.send?.has(HOST_NAME) === true || provided.has(HOST_NAME);
  const takesFqdn = own.fqdn !== undefined || hasHostName;
  return {
    clientId: own.clientId ?? defaults.clientId,
    hostname: own.hostname ?? defaults.hostname,
    fqdn: takesFqdn ? own.fqdn : defaults.fqdn,
    send: own.send ?? without(defaults.send, own.hostname !== undefined, takesFqdn),
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

function without(send: SentOptions | undefined, hostName: boolean, fqdn: boolean): SentOptions | undefined {
  if (send === undefined || !(hostName || fqdn)) return send;
  const left = new Map(send);
  if (hostName) left.delete(HOST_NAME);
  if (fqdn) left.delete(FQDN);
  return left;
}
