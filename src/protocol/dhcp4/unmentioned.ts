import { fromHex, toHex } from '../../base/bytes.ts';
import { cidrContains } from '../../base/cidr.ts';
import { IPV4_ANY, ipv4ToBytes, type Ipv4, maskFromPrefix } from '../../base/ipv4.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { DHCP4_OPTIONS, type OptionName, readOption } from '../../wire/dhcp4/options.ts';
import type { Lease4, Stated } from './lease.ts';

/** What a pod is configured with. */
const CONFIGURING = [
  'subnet-mask',
  'routers',
  'domain-name-servers',
  'domain-name',
  'interface-mtu',
  'static-routes',
  'domain-search',
  'rfc3442-classless-static-routes',
  'ms-classless-static-routes',
] as const satisfies readonly OptionName[];

/** Options of routes: each group hides those after it (RFC 3442), so that what is stated there changes nothing. */
const ROUTES = [
  [DHCP4_OPTIONS['rfc3442-classless-static-routes'].code],
  [DHCP4_OPTIONS['ms-classless-static-routes'].code],
  [DHCP4_OPTIONS['static-routes'].code, DHCP4_OPTIONS.routers.code],
] as const satisfies readonly (readonly number[])[];

const MASK = DHCP4_OPTIONS['subnet-mask'].code;
const LEASE_TIME = DHCP4_OPTIONS['dhcp-lease-time'].code;

/** Of these options, what a message says; what cannot be read is not said. */
function read(message: Dhcp4Message, names: readonly OptionName[]): Stated {
  const stated: Record<number, string> = {};
  for (const name of names) {
    const { code } = DHCP4_OPTIONS[name];
    const bytes = message.options.get(code);
    if (bytes !== undefined && readOption(message.options, name).kind === 'value')
      stated[code] = toHex(bytes);
  }
  return stated;
}

/** What an ACK states that outlives it: the configuration and the length of the lease. T1 and T2 are of each ACK alone. */
export function statedIn(message: Dhcp4Message): Stated {
  return read(message, [...CONFIGURING, 'dhcp-lease-time']);
}

/**
 * An ACK that extends `inUse`, with what it does not mention filled in; `unread` are options in whose place what was
 * stated before goes on, by name. RFC 2131 4.4.5 says what becomes of the times and nothing of the rest, and servers
 * differ in what they repeat. A pod that runs does not lose its mask or its default route for that:
 *
 * - What an ACK of the same server does not mention stays as it was; what it states differently is applied. So options
 *   of routes that would hide another one that it states differently do not stay.
 * - Another server's ACK that states any configuration is a configuration of its own: it is taken as a whole, for nobody
 *   knows that the two servers' words fit together. One that states none only extends. The mask stays in any case where
 *   it is not stated: that of the address's class would be a guess, and the address is in use with this one.
 * - With an address outside of the old network everything begins anew.
 * - The length of the lease (51) stays where it is not stated; T1 and T2 (58, 59) are computed from it then.
 */
export function completed(
  message: Dhcp4Message,
  serverId: Ipv4,
  inUse: Lease4,
): { readonly message: Dhcp4Message; readonly unread: readonly string[] } {
  const said = statedIn(message);
  const filled = Object.entries(keptOf(message, said, serverId, inUse))
    .map(([code, hex]) => [Number(code), fromHex(hex)] as const)
    .filter(([code]) => said[code] === undefined)
    // A lease time that cannot be read makes the message void.
    .filter(([code]) => code !== LEASE_TIME || !message.options.has(code));
  const options = new Map(message.options);
  for (const [code, bytes] of filled) if (bytes !== undefined) options.set(code, bytes);
  const codes = new Set(filled.map(([code]) => code));
  const unread = CONFIGURING.filter((name) => {
    const { code } = DHCP4_OPTIONS[name];
    return codes.has(code) && message.options.has(code);
  });
  return { message: { ...message, options }, unread };
}

/** What of `inUse` goes on where this ACK does not say otherwise. */
function keptOf(message: Dhcp4Message, said: Stated, serverId: Ipv4, inUse: Lease4): Stated {
  const { stated = {}, address } = inUse;
  const length = stated[LEASE_TIME];
  const always: Stated = length === undefined ? {} : { [LEASE_TIME]: length };
  const { yiaddr } = message;
  if (yiaddr !== IPV4_ANY && !cidrContains(address, yiaddr)) return always;
  const isWhole = serverId !== inUse.serverId && Object.keys(read(message, CONFIGURING)).length > 0;
  const mask = { [MASK]: toHex(ipv4ToBytes(maskFromPrefix(address.prefix))) };
  return isWhole ? { ...always, ...mask } : { ...withoutHiding(stated, said), ...mask };
}

/** What was stated before, without options of routes behind which something that is stated differently now would be lost. */
function withoutHiding(stated: Stated, said: Stated): Stated {
  const differs = (code: number): boolean => said[code] !== undefined && said[code] !== stated[code];
  const changed = ROUTES.findIndex((codes) => codes.some(differs));
  const hiding = new Set<number>(ROUTES.slice(0, Math.max(0, changed)).flat());
  return Object.fromEntries(Object.entries(stated).filter(([code]) => !hiding.has(Number(code))));
}
