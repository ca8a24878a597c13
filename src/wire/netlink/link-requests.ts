import { concat, utf8 } from '../../base/bytes.ts';
import { MAX_IFNAME_BYTES } from '../../base/ifname.ts';
import { unreachable } from '../../base/invariant.ts';
import { macToBytes, type Mac } from '../../base/mac.ts';
import { attr, nestedAttr, optional, textAttr, u32Attr, u32Bytes } from './attributes.ts';
import { type InetConf, inetConfAttr } from './inet-conf.ts';
import {
  IFF_UP,
  IFINFOMSG_LENGTH,
  IFLA_ADDRESS,
  IFLA_ALT_IFNAME,
  IFLA_EXT_MASK,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINK,
  IFLA_LINKINFO,
  IFLA_MACVLAN_BC_QUEUE_LEN,
  IFLA_MACVLAN_MODE,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  MACVLAN_MODES,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  VETH_INFO_PEER,
  type MacvlanMode,
} from './link.ts';
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, type NetlinkRequest } from './message.ts';

/** linux/rtnetlink.h: leaves the counters out, which are most of a link message. */
const RTEXT_FILTER_SKIP_STATS = 1 << 3;

/** What every new link may have from its first moment on. */
export type LinkBasics = {
  readonly name: string;
  readonly mac?: Mac | undefined;
  readonly mtu?: number | undefined;
  readonly up?: boolean | undefined;
  /** The link is made directly in this namespace, under its final name. */
  readonly netnsFd?: number | undefined;
};

export type LinkKind =
  | {
      readonly kind: 'macvlan';
      readonly masterIndex: number;
      readonly mode: MacvlanMode;
      readonly bcQueueLen?: number | undefined;
    }
  /** The kernel refuses a peer that is born up (ENOTCONN: it has no other end yet). */
  | { readonly kind: 'veth'; readonly peer: Omit<LinkBasics, 'up'> }
  | { readonly kind: 'bridge' };

export type NewLink = LinkBasics & LinkKind;

/** What is left out stays as it is. */
export type LinkChange = {
  readonly index: number;
  readonly up?: boolean | undefined;
  readonly mtu?: number | undefined;
  readonly mac?: Mac | undefined;
  readonly name?: string | undefined;
  readonly netnsFd?: number | undefined;
  /** The bridge to become a port of; 0 leaves it. */
  readonly controllerIndex?: number | undefined;
  readonly inetConf?: InetConf | undefined;
  /** A remark for people, of at most 255 bytes (IFALIASZ); empty takes it away. A link cannot be born with one. */
  readonly alias?: string | undefined;
};

/** In struct ifinfomsg: index, flags and the change mask follow each other. */
const IFI_INDEX_AT = 4;

/** struct ifinfomsg. The change mask holds just IFF_UP: no other flag is ever set from here. */
function ifinfomsg(index: number, up: boolean | undefined): Uint8Array {
  const flags = up === true ? IFF_UP : 0;
  const change = up === undefined ? 0 : IFF_UP;
  const bytes = new Uint8Array(IFINFOMSG_LENGTH);
  bytes.set(concat([u32Bytes(index), u32Bytes(flags), u32Bytes(change)]), IFI_INDEX_AT);
  return bytes;
}

function basicAttributes(link: Omit<LinkBasics, 'name'> & Pick<LinkChange, 'name'>): readonly Uint8Array[] {
  return [
    ...optional(link.name, (name) => textAttr(IFLA_IFNAME, name)),
    ...optional(link.mac, (mac) => attr(IFLA_ADDRESS, macToBytes(mac))),
    ...optional(link.mtu, (mtu) => u32Attr(IFLA_MTU, mtu)),
    ...optional(link.netnsFd, (fd) => u32Attr(IFLA_NET_NS_FD, fd)),
  ];
}

function kindData(link: NewLink): readonly Uint8Array[] {
  switch (link.kind) {
    case 'macvlan':
      return [
        nestedAttr(IFLA_INFO_DATA, [
          u32Attr(IFLA_MACVLAN_MODE, MACVLAN_MODES[link.mode]),
          ...optional(link.bcQueueLen, (length) => u32Attr(IFLA_MACVLAN_BC_QUEUE_LEN, length)),
        ]),
      ];
    case 'veth': {
      const peer = concat([ifinfomsg(0, undefined), ...basicAttributes(link.peer)]);
      return [nestedAttr(IFLA_INFO_DATA, [attr(VETH_INFO_PEER, peer)])];
    }
    case 'bridge':
      return [];
    default:
      return unreachable(link);
  }
}

/** RTM_NEWLINK that fails with EEXIST when the name is taken. */
export function newLinkRequest(link: NewLink): NetlinkRequest {
  return {
    op: `RTM_NEWLINK ${link.name}`,
    type: RTM_NEWLINK,
    flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    payload: concat([
      ifinfomsg(0, link.up),
      ...basicAttributes(link),
      ...(link.kind === 'macvlan' ? [u32Attr(IFLA_LINK, link.masterIndex)] : []),
      nestedAttr(IFLA_LINKINFO, [textAttr(IFLA_INFO_KIND, link.kind), ...kindData(link)]),
    ]),
  };
}

export function setLinkRequest(change: LinkChange): NetlinkRequest {
  return {
    op: `RTM_NEWLINK #${change.index}`,
    type: RTM_NEWLINK,
    flags: NLM_F_ACK,
    payload: concat([
      ifinfomsg(change.index, change.up),
      ...basicAttributes(change),
      ...optional(change.controllerIndex, (index) => u32Attr(IFLA_MASTER, index)),
      ...optional(change.inetConf, (conf) => inetConfAttr(conf)),
      ...optional(change.alias, (alias) => attr(IFLA_IFALIAS, utf8(alias))),
    ]),
  };
}

export function deleteLinkRequest(index: number): NetlinkRequest {
  return {
    op: `RTM_DELLINK #${index}`,
    type: RTM_DELLINK,
    flags: NLM_F_ACK,
    payload: ifinfomsg(index, undefined),
  };
}

/** Whether it can only be an alternative name. */
export function isLongName(link: string | number): boolean {
  return typeof link === 'string' && utf8(link).length > MAX_IFNAME_BYTES;
}

/**
 * By index, by name or by an alternative name; the answer is one RTM_NEWLINK. The kernel looks among both kinds of names
 * whichever attribute it gets (rtnl_dev_get), but a long one fits only in that of the alternative names.
 */
export function getLinkRequest(link: string | number): NetlinkRequest {
  const byName = typeof link === 'string';
  return {
    op: `RTM_GETLINK ${byName ? link : `#${link}`}`,
    type: RTM_GETLINK,
    flags: NLM_F_ACK,
    payload: concat([
      ifinfomsg(byName ? 0 : link, undefined),
      ...(byName ? [textAttr(isLongName(link) ? IFLA_ALT_IFNAME : IFLA_IFNAME, link)] : []),
      u32Attr(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS),
    ]),
  };
}

export function listLinksRequest(): NetlinkRequest {
  return {
    op: 'RTM_GETLINK',
    type: RTM_GETLINK,
    flags: NLM_F_DUMP,
    payload: concat([ifinfomsg(0, undefined), u32Attr(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)]),
  };
}
