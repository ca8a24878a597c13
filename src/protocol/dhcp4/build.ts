import { fromHex, utf8 } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import { IPV4_ANY, type Ipv4, ipv4ToBytes } from '../../base/ipv4.ts';
import { between, type Instant } from '../../base/time.ts';
import { NONCE_ALGORITHMS } from '../../wire/dhcp4/authentication.ts';
import { DHCP_MESSAGE_TYPE, type DhcpMessageType } from '../../wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { DHCP4_OPTIONS } from '../../wire/dhcp4/options.ts';
import type { Lean } from './extras.ts';
import type { Lease4 } from './lease.ts';
import { messageSize } from './message-size.ts';
import type { Dhcp4Config } from './state.ts';

const MOST_SECS = 0xffff;
/** For the server's log. */
const RELEASE_TEXT = 'released by its owner';

/** The codes by what this file uses them for. */
const OPTION = {
  messageType: DHCP4_OPTIONS['dhcp-message-type'].code,
  clientIdentifier: DHCP4_OPTIONS['dhcp-client-identifier'].code,
  requestedAddress: DHCP4_OPTIONS['dhcp-requested-address'].code,
  serverIdentifier: DHCP4_OPTIONS['dhcp-server-identifier'].code,
  parameterRequestList: DHCP4_OPTIONS['dhcp-parameter-request-list'].code,
  maxMessageSize: DHCP4_OPTIONS['dhcp-max-message-size'].code,
  message: DHCP4_OPTIONS['dhcp-message'].code,
  rapidCommit: DHCP4_OPTIONS['rapid-commit'].code,
  forceRenew: DHCP4_OPTIONS['forcerenew-nonce-capable'].code,
} as const;

/** A client as it speaks in one message. */
export type Asking = Lean<Dhcp4Config>;

type Fields = {
  readonly type: DhcpMessageType;
  readonly xid: number;
  /** Seconds since the client began to seek an address or to renew (RFC 2131 table 1); 0 where table 5 says so. */
  readonly secs?: number;
  readonly broadcast?: boolean;
  readonly ciaddr?: Ipv4;
  readonly options?: readonly (readonly [number, Uint8Array])[];
  /** Whether options 55, 57, 145 and the configured ones go along: MUST NOT in RELEASE and DECLINE (RFC 2131 table 5). */
  readonly asking: boolean;
};

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 255);
}

function hexBytes(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  invariant(bytes !== undefined, 'option bytes are kept as hex');
  return bytes;
}

function message(config: Asking, fields: Fields): Dhcp4Message {
  const options = new Map<number, Uint8Array>([[OPTION.messageType, Uint8Array.of(fields.type)]]);
  if (config.clientId !== undefined) options.set(OPTION.clientIdentifier, hexBytes(config.clientId));
  for (const [code, bytes] of fields.options ?? []) options.set(code, bytes);
  if (fields.asking) {
    if (config.noMessageSize !== true) options.set(OPTION.maxMessageSize, u16(messageSize(config.mtu)));
    if (config.parameterRequest.length > 0) {
      options.set(OPTION.parameterRequestList, Uint8Array.from(config.parameterRequest));
    }
    // RFC 6704 3.1.4: in all DISCOVERs and REQUESTs.
    if (config.forceRenew === true) options.set(OPTION.forceRenew, Uint8Array.from(NONCE_ALGORITHMS));
    for (const [code, hex] of Object.entries(config.send)) options.set(Number(code), hexBytes(hex));
  }
  return {
    op: 'request',
    xid: fields.xid,
    secs: Math.min(MOST_SECS, fields.secs ?? 0),
    broadcast: fields.broadcast ?? false,
    ciaddr: fields.ciaddr ?? IPV4_ANY,
    yiaddr: IPV4_ANY,
    siaddr: IPV4_ANY,
    giaddr: IPV4_ANY,
    chaddr: config.chaddr,
    sname: '',
    file: '',
    options,
  };
}

/** Whole seconds for the `secs` field. */
export function secsSince(since: Instant, now: Instant): number {
  return Math.max(0, Math.floor(between(since, now) / 1000));
}

type Try = { readonly xid: number; readonly secs: number; readonly broadcast: boolean };

/** RFC 2131 4.4.1; an address that is wished for goes into option 50. */
export function buildDiscover(config: Asking, at: Try, wish: Ipv4 | undefined): Dhcp4Message {
  const options: [number, Uint8Array][] = [];
  if (wish !== undefined) options.push([OPTION.requestedAddress, ipv4ToBytes(wish)]);
  if (config.rapidCommit) options.push([OPTION.rapidCommit, new Uint8Array()]);
  return message(config, { ...at, type: DHCP_MESSAGE_TYPE.DHCPDISCOVER, options, asking: true });
}

/** SELECTING: options 50 and 54 MUST, ciaddr zero (RFC 2131 4.3.2), `secs` that of the DISCOVER (3.1). */
export function buildSelectingRequest(
  config: Asking,
  at: Try,
  offer: { readonly address: Ipv4; readonly serverId: Ipv4 },
): Dhcp4Message {
  return message(config, {
    ...at,
    type: DHCP_MESSAGE_TYPE.DHCPREQUEST,
    options: [
      [OPTION.requestedAddress, ipv4ToBytes(offer.address)],
      [OPTION.serverIdentifier, ipv4ToBytes(offer.serverId)],
    ],
    asking: true,
  });
}

/** INIT-REBOOT and the check of a lease: option 50 MUST, option 54 MUST NOT, ciaddr zero (RFC 2131 4.3.2). */
export function buildRebootRequest(config: Asking, at: Try, address: Ipv4): Dhcp4Message {
  return message(config, {
    ...at,
    type: DHCP_MESSAGE_TYPE.DHCPREQUEST,
    options: [[OPTION.requestedAddress, ipv4ToBytes(address)]],
    asking: true,
  });
}

/** RENEWING and REBINDING: ciaddr is the leased address, options 50 and 54 MUST NOT (RFC 2131 4.3.2). */
export function buildRenewRequest(
  config: Asking,
  at: { readonly xid: number; readonly secs: number },
  lease: Lease4,
): Dhcp4Message {
  return message(config, {
    ...at,
    type: DHCP_MESSAGE_TYPE.DHCPREQUEST,
    ciaddr: lease.address.address,
    asking: true,
  });
}

/** RFC 2131 table 5: ciaddr and option 54 MUST, option 56 SHOULD; the same client identifier as before (3.1). */
export function buildRelease(
  config: Asking,
  xid: number,
  held: { readonly address: Ipv4; readonly serverId: Ipv4 },
  why = RELEASE_TEXT,
): Dhcp4Message {
  return message(config, {
    type: DHCP_MESSAGE_TYPE.DHCPRELEASE,
    xid,
    ciaddr: held.address,
    options: [
      [OPTION.serverIdentifier, ipv4ToBytes(held.serverId)],
      [OPTION.message, utf8(why)],
    ],
    asking: false,
  });
}

/** RFC 2131 table 5: options 50 and 54 MUST, 56 SHOULD, ciaddr zero. */
export function buildDecline(
  config: Asking,
  xid: number,
  { address, serverId }: { readonly address: Ipv4; readonly serverId: Ipv4 },
  why: string,
): Dhcp4Message {
  return message(config, {
    type: DHCP_MESSAGE_TYPE.DHCPDECLINE,
    xid,
    options: [
      [OPTION.requestedAddress, ipv4ToBytes(address)],
      [OPTION.serverIdentifier, ipv4ToBytes(serverId)],
      [OPTION.message, utf8(why)],
    ],
    asking: false,
  });
}
