import { createHash } from 'node:crypto';
import { concat, toHex, utf8 } from '../base/bytes.ts';
import { IPV4_ANY, IPV4_BROADCAST, type Ipv4 } from '../base/ipv4.ts';
import { BROADCAST_MAC, macFromBytes, macToBytes, type Mac } from '../base/mac.ts';
import { buildRelease } from '../protocol/dhcp4/build.ts';
import { DHCP_MESSAGE_TYPE } from '../wire/dhcp4/message-type.ts';
import { emitDhcp4 } from '../wire/dhcp4/message.ts';
import { DHCP4_OPTIONS } from '../wire/dhcp4/options.ts';
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from '../wire/dhcp4/udp-ports.ts';
import { emitUdp4Frame } from '../wire/ip/udp4.ts';
import type { WayOfAsking } from './lan-facts.ts';

/** A type that is no hardware type (RFC 2132 9.14); the text tells an administrator who asked. */
const CLIENT_ID_TYPE = 0;
const CLIENT_ID_TEXT = 'leasehold-doctor';
const LOCALLY_ADMINISTERED = 0x02;
const GROUP = 0x01;

/** What a server's answer is judged by, beside what is in every answer (RFC 2131 table 3). */
const PARAMETERS = [
  DHCP4_OPTIONS['subnet-mask'].code,
  DHCP4_OPTIONS['routers'].code,
  DHCP4_OPTIONS['domain-name-servers'].code,
];

/** A MAC as a pod could have it: locally administered, the same at every run on this uplink, and no other node's. */
export function childMac(own: Mac): Mac {
  const bytes = createHash('sha256').update(`${CLIENT_ID_TEXT} ${own}`).digest();
  bytes[0] = ((bytes[0] ?? 0) | LOCALLY_ADMINISTERED) & ~GROUP;
  return macFromBytes(bytes);
}

/** The doctor's own client identifier, for the client with this MAC. */
function strangerId(chaddr: Mac): Uint8Array {
  return concat([Uint8Array.of(CLIENT_ID_TYPE), utf8(CLIENT_ID_TEXT), macToBytes(chaddr)]);
}

export type Asker = { readonly own: Mac; readonly child: Mac; readonly xid: number };
export type Informer = { readonly own: Mac; readonly address: Ipv4; readonly xid: number };

/**
 * A DHCPDISCOVER as a whole frame, with `more` options. Its client identifier is the same at every run, so that a server
 * which sets offered addresses aside does so for three clients at most: the node, a pod, and one with a long identifier.
 */
export function discoverFrame(
  way: WayOfAsking,
  { own, child, xid }: Asker,
  more: ReadonlyMap<number, Uint8Array> = new Map(),
): Uint8Array {
  const chaddr = way.chaddr === 'own' ? own : child;
  const options = new Map<number, Uint8Array>([
    [DHCP4_OPTIONS['dhcp-message-type'].code, Uint8Array.of(DHCP_MESSAGE_TYPE.DHCPDISCOVER)],
  ]);
  if (way.stranger) options.set(DHCP4_OPTIONS['dhcp-client-identifier'].code, strangerId(chaddr));
  options.set(DHCP4_OPTIONS['dhcp-parameter-request-list'].code, Uint8Array.from(PARAMETERS));
  for (const [code, bytes] of more) options.set(code, bytes);
  return broadcastFrame({
    srcMac: way.source === 'own' ? own : child,
    src: IPV4_ANY,
    chaddr,
    xid,
    broadcast: way.broadcast,
    options,
  });
}

/**
 * A DHCPINFORM of the node (RFC 2131 4.4.3) as a whole frame: who has an address asks for the rest. A server answers it
 * whether its pool has room or not, and binds nothing (4.3.5).
 */
export function informFrame({ own, address, xid }: Informer): Uint8Array {
  const options = new Map<number, Uint8Array>([
    [DHCP4_OPTIONS['dhcp-message-type'].code, Uint8Array.of(DHCP_MESSAGE_TYPE.DHCPINFORM)],
    [DHCP4_OPTIONS['dhcp-parameter-request-list'].code, Uint8Array.from(PARAMETERS)],
  ]);
  return broadcastFrame({ srcMac: own, src: address, chaddr: own, xid, broadcast: false, options });
}

type Broadcast = {
  readonly srcMac: Mac;
  /** The sender's address, which is also the message's ciaddr. */
  readonly src: Ipv4;
  readonly chaddr: Mac;
  readonly xid: number;
  readonly broadcast: boolean;
  readonly options: ReadonlyMap<number, Uint8Array>;
};

function broadcastFrame({ srcMac, src, chaddr, xid, broadcast, options }: Broadcast): Uint8Array {
  const payload = emitDhcp4({
    op: 'request',
    xid,
    secs: 0,
    broadcast,
    ciaddr: src,
    yiaddr: IPV4_ANY,
    siaddr: IPV4_ANY,
    giaddr: IPV4_ANY,
    chaddr,
    sname: '',
    file: '',
    options,
  });
  return emitUdp4Frame({
    srcMac,
    dstMac: BROADCAST_MAC,
    src,
    dst: IPV4_BROADCAST,
    srcPort: DHCP_CLIENT_PORT,
    dstPort: DHCP_SERVER_PORT,
    payload,
  });
}

/** A lease that a server has given to a DISCOVER of `child` with option 80. */
export type Committed = { readonly address: Ipv4; readonly serverId: Ipv4; readonly serverMac: Mac };

/** What a RELEASE says of its client is who it is. */
const RELEASER = {
  requestedAddress: undefined,
  parameterRequest: [],
  send: {},
  rapidCommit: false,
  broadcast: 'never',
  servers: [],
  relays: [],
  ipv6Only: false,
} as const;

/** Its DHCPRELEASE as a whole frame: who only looks keeps nothing. */
export function releaseFrame(child: Mac, xid: number, committed: Committed): Uint8Array {
  const { address, serverId, serverMac } = committed;
  const speaker = { ...RELEASER, chaddr: child, clientId: toHex(strangerId(child)) };
  return emitUdp4Frame({
    srcMac: child,
    dstMac: serverMac,
    src: address,
    dst: serverId,
    srcPort: DHCP_CLIENT_PORT,
    dstPort: DHCP_SERVER_PORT,
    payload: emitDhcp4(buildRelease(speaker, xid, { address, serverId })),
  });
}
