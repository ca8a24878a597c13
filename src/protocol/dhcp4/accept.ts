import { toHex } from '../../base/bytes.ts';
import type { Cidr } from '../../base/cidr.ts';
import { type Ipv4, isHostIpv4 } from '../../base/ipv4.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { Instant } from '../../base/time.ts';
import { DHCP_MESSAGE_TYPE } from '../../wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { DHCP4_OPTIONS, readOption } from '../../wire/dhcp4/options.ts';
import { type Lease4, leaseFromAck } from './lease.ts';
import type { IgnoreReason } from './reasons.ts';
import type { Dhcp4Config } from './state.ts';

/** A message for us, by its type; what the state makes of it is decided by the state. */
export type Answer =
  | { readonly kind: 'offer'; readonly address: Cidr<Ipv4>; readonly serverId: Ipv4 }
  | { readonly kind: 'ack'; readonly lease: Lease4; readonly rapid: boolean }
  | { readonly kind: 'nak'; readonly serverId: Ipv4; readonly text: string | undefined };

/** What was asked: an answer has to fit it. */
export type Question = {
  readonly xid: number;
  /** When it was sent. */
  readonly requestedAt: Instant;
  /** The server that gave the lease in use, where there is one. */
  readonly leasedBy: Ipv4 | undefined;
};

/** Whether the message is meant for this transaction at all. */
function checkAddressee(config: Dhcp4Config, xid: number, message: Dhcp4Message): IgnoreReason | undefined {
  if (message.op !== 'reply') return 'not-a-reply';
  if (message.chaddr !== config.chaddr) return 'wrong-mac';
  // RFC 2131 4.4.1, 4.4.5: silently discarded.
  if (message.xid !== xid) return 'wrong-xid';
  const echoed = message.options.get(DHCP4_OPTIONS['dhcp-client-identifier'].code);
  // RFC 6842 section 3: an echoed identifier that is not the one we send marks an answer to somebody else.
  if (echoed !== undefined && toHex(echoed) !== config.clientId) return 'wrong-client-id';
  return undefined;
}

/**
 * RFC 2131 table 3: option 54 MUST be in OFFER, ACK and NAK. Only the ACK that extends a lease may lack it: the pod
 * should not lose the address that it uses over a sloppy server which gave it one before.
 */
function readServerId(message: Dhcp4Message, fallback: Ipv4 | undefined): Result<Ipv4, IgnoreReason> {
  const option = readOption(message.options, 'dhcp-server-identifier');
  if (option.kind === 'absent') return fallback === undefined ? err('no-server-id') : ok(fallback);
  return option.kind === 'malformed' || !isHostIpv4(option.value)
    ? err('malformed-server-id')
    : ok(option.value);
}

/** What a parsed message says to this client, or why it is not taken. */
export function acceptMessage(
  config: Dhcp4Config,
  { xid, requestedAt, leasedBy }: Question,
  message: Dhcp4Message,
): Result<Answer, IgnoreReason> {
  const notForUs = checkAddressee(config, xid, message);
  if (notForUs !== undefined) return err(notForUs);
  const type = readOption(message.options, 'dhcp-message-type');
  if (type.kind === 'absent') return err('no-message-type');
  if (type.kind === 'malformed') return err('malformed-message-type');

  switch (type.value) {
    case DHCP_MESSAGE_TYPE.DHCPOFFER: {
      const serverId = readServerId(message, undefined);
      if (!serverId.ok) return serverId;
      // An offer is judged as the ACK would be: a lease that cannot be used is not worth a REQUEST.
      const lease = leaseFromAck(message, serverId.value, requestedAt);
      return lease.ok ? ok({ kind: 'offer', address: lease.value.address, serverId: serverId.value }) : lease;
    }
    case DHCP_MESSAGE_TYPE.DHCPACK: {
      const serverId = readServerId(message, leasedBy);
      if (!serverId.ok) return serverId;
      const lease = leaseFromAck(message, serverId.value, requestedAt);
      const rapid = message.options.has(DHCP4_OPTIONS['rapid-commit'].code);
      return lease.ok ? ok({ kind: 'ack', lease: lease.value, rapid }) : lease;
    }
    case DHCP_MESSAGE_TYPE.DHCPNAK: {
      const serverId = readServerId(message, undefined);
      if (!serverId.ok) return serverId;
      const text = readOption(message.options, 'dhcp-message');
      return ok({
        kind: 'nak',
        serverId: serverId.value,
        text: text.kind === 'value' ? text.value : undefined,
      });
    }
    default:
      return err('unexpected-type');
  }
}
