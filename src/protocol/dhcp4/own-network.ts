import { type Cidr, cidr, cidrContains, formatCidr, networkOf } from '../../base/cidr.ts';
import { type Ipv4, ipv4FromNumber, ipv4ToNumber, isHostIpv4, prefixFromMask } from '../../base/ipv4.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { readOption } from '../../wire/dhcp4/options.ts';
import { classfulPrefix } from './lease-routes.ts';
import type { IgnoreReason } from './reasons.ts';

/** RFC 3927 1.6: not to be handed out by DHCP; hosts take such addresses themselves, and nothing routes them. */
export const LINK_LOCAL = cidr('169.254.0.0/16');
/** No LAN is larger than a class A network (RFC 791): a shorter mask would draw half of the world onto the link. */
const SHORTEST_PREFIX = 8;
/** RFC 3021 2.1: in a /31 both addresses are hosts, and a /32 is one. All larger networks have two that are none. */
const LONGEST_PREFIX_WITH_ENDS = 30;

/**
 * Which end of `own` the address is: the two that no host has (RFC 1122 3.2.1.3); undefined for any other. No kernel
 * takes the broadcast address as a gateway, and not every kernel takes the network address.
 */
export function endOfNetwork(own: Cidr<Ipv4>, address: Ipv4): 'network' | 'broadcast' | undefined {
  if (own.prefix > LONGEST_PREFIX_WITH_ENDS) return undefined;
  const first = networkOf(own).address;
  if (address === first) return 'network';
  const last = ipv4FromNumber(ipv4ToNumber(first) + 2 ** (32 - own.prefix) - 1);
  return address === last ? 'broadcast' : undefined;
}

/**
 * Why `address` cannot be a host's, seen from an interface with the address `own`: what follows "it is". Undefined where
 * it can.
 */
export function hostFault(own: Cidr<Ipv4>, address: Ipv4): string | undefined {
  if (!isHostIpv4(address)) return 'no address that a host can have';
  const end = endOfNetwork(own, address);
  return end === undefined ? undefined : `the ${end} address of ${formatCidr(networkOf(own))}`;
}

function readPrefix(message: Dhcp4Message): Result<number, IgnoreReason> {
  const mask = readOption(message.options, 'subnet-mask');
  if (mask.kind === 'malformed') return err('malformed-subnet-mask');
  if (mask.kind === 'absent') return ok(classfulPrefix(message.yiaddr));
  const prefix = prefixFromMask(mask.value);
  return prefix === undefined || prefix < SHORTEST_PREFIX ? err('malformed-subnet-mask') : ok(prefix);
}

/**
 * The address that a message grants with the network that it puts on the link: yiaddr and option 1. An address that
 * its host could not use is refused, and so is one in a network of `protect`: its routes (the connected one and that
 * of the address itself) would lead there. A network that only contains a protected one is the LAN itself.
 */
export function readOwnNetwork(
  message: Dhcp4Message,
  serverId: Ipv4,
  protect: readonly Cidr<Ipv4>[],
): Result<Cidr<Ipv4>, IgnoreReason> {
  const address = message.yiaddr;
  // The server's address is taken, by the server (or, RFC 5107, by the relay that speaks for it).
  if (!isHostIpv4(address) || cidrContains(LINK_LOCAL, address) || address === serverId)
    return err('bad-address');
  const prefix = readPrefix(message);
  if (!prefix.ok) return prefix;
  const own = { address, prefix: prefix.value };
  if (endOfNetwork(own, address) !== undefined) return err('bad-address');
  if (protect.some((network) => cidrContains(network, address))) return err('protected-network');
  return ok(own);
}
