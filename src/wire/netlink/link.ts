import type { Result } from '../../base/result.ts';
import { macFromBytes, type Mac } from '../../base/mac.ts';
import { Attributes, decoding, NetlinkFormatError, StructReader, type NetlinkProblem } from './attributes.ts';

// linux/rtnetlink.h
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const IFINFOMSG_LENGTH = 16;

// linux/if.h
export const IFF_UP = 0x1;
export const IFF_RUNNING = 0x40;
export const IFF_LOWER_UP = 0x10000;

// linux/if_link.h
export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINK = 5;
export const IFLA_MASTER = 10;
export const IFLA_OPERSTATE = 16;
export const IFLA_LINKINFO = 18;
export const IFLA_IFALIAS = 20;
export const IFLA_NET_NS_FD = 28;
export const IFLA_EXT_MASK = 29;
export const IFLA_LINK_NETNSID = 37;
export const IFLA_PROP_LIST = 52;
export const IFLA_ALT_IFNAME = 53;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
export const IFLA_MACVLAN_MODE = 1;
export const IFLA_MACVLAN_BC_QUEUE_LEN = 7;
export const VETH_INFO_PEER = 1;

/** linux/if_link.h, enum macvlan_mode. */
export const MACVLAN_MODES = {
  private: 1,
  vepa: 2,
  bridge: 4,
  passthru: 8,
  source: 16,
} as const;
export type MacvlanMode = keyof typeof MACVLAN_MODES;

/** linux/if.h, IF_OPER_*, in the order of their numbers (RFC 2863). */
const OPER_STATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const;
export type OperState = (typeof OPER_STATES)[number];

export const MAC_LENGTH = 6;

/** A network interface as the kernel describes it. */
export type Link = {
  readonly index: number;
  readonly name: string;
  /** Absent for links without Ethernet addresses. */
  readonly mac?: Mac;
  readonly mtu: number;
  /** IFF_UP: somebody switched it on. */
  readonly up: boolean;
  /** IFF_RUNNING: on and operational. */
  readonly running: boolean;
  /** IFF_LOWER_UP: the layer below has a carrier. */
  readonly lowerUp: boolean;
  readonly operState: OperState;
  /** "macvlan", "veth", "bridge" ...; absent for physical devices. */
  readonly kind?: string;
  /** Absent too when the kernel has a mode that is not known here. */
  readonly macvlanMode?: MacvlanMode;
  readonly bcQueueLen?: number;
  /** IFLA_LINK: the device below a macvlan, the peer of a veth. In another namespace if `linkNetnsId` is there. */
  readonly masterIndex?: number;
  /** IFLA_LINK_NETNSID: the namespace of `masterIndex`, as an id of this namespace. */
  readonly linkNetnsId?: number;
  /** IFLA_MASTER: the bridge or bond that this link is a port of. */
  readonly controllerIndex?: number;
  /** IFLA_IFALIAS: what somebody wrote on it. */
  readonly alias?: string;
  /** IFLA_ALT_IFNAME: names that it has besides, of up to 127 bytes; absent when there are none. */
  readonly altNames?: readonly string[];
};

function present<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  // The computed key has the type K, which the checker widens to string.
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: T };
}

function macvlanData(info: Attributes): Pick<Link, 'macvlanMode' | 'bcQueueLen'> {
  const data = info.nested(IFLA_INFO_DATA);
  const mode = data?.u32(IFLA_MACVLAN_MODE);
  const names = Object.keys(MACVLAN_MODES) as MacvlanMode[];
  return {
    ...present(
      'macvlanMode',
      names.find((name) => MACVLAN_MODES[name] === mode),
    ),
    ...present('bcQueueLen', data?.u32(IFLA_MACVLAN_BC_QUEUE_LEN)),
  };
}

function altNames(attributes: Attributes): Pick<Link, 'altNames'> {
  const names = attributes.nested(IFLA_PROP_LIST)?.texts(IFLA_ALT_IFNAME) ?? [];
  return names.length === 0 ? {} : { altNames: names };
}

/** The payload of RTM_NEWLINK and RTM_DELLINK: struct ifinfomsg and IFLA_* attributes. */
export function decodeLink(payload: Uint8Array): Result<Link, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(payload, 'ifinfomsg', IFINFOMSG_LENGTH);
    const flags = header.u32(8);
    const attributes = new Attributes(header.after(IFINFOMSG_LENGTH), 'ifinfomsg');
    const name = attributes.text(IFLA_IFNAME);
    const mtu = attributes.u32(IFLA_MTU);
    if (name === undefined) throw new NetlinkFormatError('missing', 'IFLA_IFNAME');
    if (mtu === undefined) throw new NetlinkFormatError('missing', 'IFLA_MTU');
    const address = attributes.bytes(IFLA_ADDRESS);
    const info = attributes.nested(IFLA_LINKINFO);
    const kind = info?.text(IFLA_INFO_KIND);
    return {
      index: header.i32(4),
      name,
      ...present('mac', address?.length === MAC_LENGTH ? macFromBytes(address) : undefined),
      mtu,
      up: (flags & IFF_UP) !== 0,
      running: (flags & IFF_RUNNING) !== 0,
      lowerUp: (flags & IFF_LOWER_UP) !== 0,
      operState: OPER_STATES[attributes.u8(IFLA_OPERSTATE) ?? 0] ?? 'unknown',
      ...present('kind', kind),
      ...(info !== undefined && kind === 'macvlan' ? macvlanData(info) : {}),
      ...present('masterIndex', attributes.u32(IFLA_LINK)),
      ...present('linkNetnsId', attributes.i32(IFLA_LINK_NETNSID)),
      ...present('controllerIndex', attributes.u32(IFLA_MASTER)),
      ...present('alias', attributes.text(IFLA_IFALIAS)),
      ...altNames(attributes),
    };
  });
}
