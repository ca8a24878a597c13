import { concat, equalBytes, utf8 } from '../../base/bytes.ts';
import type { Result } from '../../base/result.ts';
import {
  attr,
  Attributes,
  decoding,
  nestedAttr,
  optional,
  StructReader,
  textAttr,
  u32Bytes,
  type NetlinkProblem,
} from '../netlink/attributes.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, type NetlinkRequest } from '../netlink/message.ts';
import { beU32Attr, beU64Attr, readBeU32 } from './attributes.ts';
import { dataValue, expressionList, NFTA_LIST_ELEM, type Expression } from './expression.ts';
import { NFGENMSG_LENGTH, nftRequest, NFTA_TABLE, type Family } from './message.ts';

// enum nft_table_attributes
const NFTA_TABLE_USE = 3;
const NFTA_TABLE_USERDATA = 6;
/** Opaque to the kernel: type, length and text, with a NUL, as nft(8) keeps a comment (libnftnl, udata.h). */
const NFTNL_UDATA_TABLE_COMMENT = 0;
// enum nft_chain_attributes, enum nft_hook_attributes, enum nft_devices_attributes
export const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NFTA_HOOK_DEVS = 4;
const NFTA_DEVICE_NAME = 1;
const NF_ACCEPT = 1;
// enum nft_rule_attributes
export const NFTA_RULE_CHAIN = 2;
export const NFTA_RULE_EXPRESSIONS = 4;
// enum nft_set_attributes
export const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LEN = 5;
const NFTA_SET_DATA_TYPE = 6;
const NFTA_SET_DATA_LEN = 7;
const NFTA_SET_DESC = 9;
const NFTA_SET_ID = 10;
const NFTA_SET_TIMEOUT = 11;
const NFTA_SET_GC_INTERVAL = 12;
const NFTA_SET_USERDATA = 13;
/** libnftnl's udata.h, and libnftables' enum byteorder: without it nft(8) prints names backwards. */
const NFTNL_UDATA_SET_KEYBYTEORDER = 0;
const BYTEORDER_HOST_ENDIAN = 1;
// enum nft_set_desc_attributes
const NFTA_SET_DESC_SIZE = 1;
// enum nft_set_flags
const NFT_SET_INTERVAL = 0x4;
const NFT_SET_MAP = 0x8;
const NFT_SET_TIMEOUT = 0x10;
const NFT_SET_EVAL = 0x20;
// enum nft_set_elem_list_attributes, enum nft_set_elem_attributes, enum nft_set_elem_flags
export const NFTA_SET_ELEM_LIST_SET = 2;
export const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
export const NFTA_SET_ELEM_KEY = 1;
export const NFTA_SET_ELEM_FLAGS = 3;
export const NFT_SET_ELEM_INTERVAL_END = 0x1;

/** linux/netfilter.h (enum nf_inet_hooks) and linux/netfilter_netdev.h (NF_NETDEV_INGRESS, NF_NETDEV_EGRESS). */
export const HOOKS = {
  inet: { prerouting: 0, forward: 2, output: 3 },
  ip: { postrouting: 4 },
  netdev: { ingress: 0, egress: 1 },
} as const;

/** Elements in one message: an attribute holds at most 64 KiB. */
const ELEMENTS_AT_ONCE = 500;

/** What a key or a value is made of: `type` is opaque to the kernel, and by what nft(8) prints it. Bytes. */
export type DataType = {
  readonly type: number;
  readonly length: number;
  /** A text: nft(8) wants to know. */
  readonly hostOrder?: true;
};

export type SetElement = {
  readonly key: Uint8Array;
  /** The first key after an interval. */
  readonly intervalEnd?: boolean | undefined;
};

export type SetSpec = {
  readonly name: string;
  readonly key: DataType;
  /** A map, then. */
  readonly value?: DataType | undefined;
  readonly interval?: boolean | undefined;
  /** Filled by packets: an element ends after this long, unless what adds it says otherwise. */
  readonly timeoutMs?: number | undefined;
  /** How often what has ended makes room. */
  readonly gcIntervalMs?: number | undefined;
  /** Elements that packets may put into it at most; the kernel's own bound is 65,535 (net/netfilter/nft_dynset.c). */
  readonly most?: number | undefined;
  /** Made with this bound, and with memory for it, where the kernel passes over a change of it (before 6.5). */
  readonly allocated?: boolean | undefined;
  readonly elements?: readonly SetElement[] | undefined;
};

/** A base chain with policy accept. `devices`: netdev only, at least one. */
export type Hook = {
  /** `filter` if left out. */
  readonly type?: 'filter' | 'nat' | undefined;
  readonly number: number;
  readonly priority: number;
  readonly devices?: readonly string[] | undefined;
};

export type ChainSpec = {
  readonly name: string;
  readonly hook?: Hook | undefined;
  readonly rules: readonly (readonly Expression[])[];
};

/** One whole table. Sets are named: what fills them, and who looks at the table, knows them by name. */
export type TableSpec = {
  readonly family: Family;
  readonly name: string;
  /** At most 250 bytes. */
  readonly comment?: string | undefined;
  readonly sets: readonly SetSpec[];
  readonly chains: readonly ChainSpec[];
};

export type TableName = Pick<TableSpec, 'family' | 'name'>;

const HOST_ORDER = concat([Uint8Array.of(NFTNL_UDATA_SET_KEYBYTEORDER, 4), u32Bytes(BYTEORDER_HOST_ENDIAN)]);

/** The attributes of a set that the kernel tells again as they were given. */
export function setAttributes(set: SetSpec): readonly Uint8Array[] {
  const flags =
    (set.interval === true ? NFT_SET_INTERVAL : 0) |
    (set.value === undefined ? 0 : NFT_SET_MAP) |
    (set.timeoutMs === undefined ? 0 : NFT_SET_TIMEOUT | NFT_SET_EVAL);
  return [
    textAttr(NFTA_SET_NAME, set.name),
    // The kernel does not tell a zero.
    ...(flags === 0 ? [] : [beU32Attr(NFTA_SET_FLAGS, flags)]),
    beU32Attr(NFTA_SET_KEY_TYPE, set.key.type),
    beU32Attr(NFTA_SET_KEY_LEN, set.key.length),
    ...(set.key.hostOrder === true ? [attr(NFTA_SET_USERDATA, HOST_ORDER)] : []),
    ...(set.value === undefined
      ? []
      : [beU32Attr(NFTA_SET_DATA_TYPE, set.value.type), beU32Attr(NFTA_SET_DATA_LEN, set.value.length)]),
    ...optional(set.timeoutMs, (ms) => beU64Attr(NFTA_SET_TIMEOUT, ms)),
    ...optional(set.gcIntervalMs, (ms) => beU32Attr(NFTA_SET_GC_INTERVAL, ms)),
    ...optional(set.most, (most) => nestedAttr(NFTA_SET_DESC, [beU32Attr(NFTA_SET_DESC_SIZE, most)])),
  ];
}

/** The same of a chain. */
export function chainAttributes(chain: ChainSpec): readonly Uint8Array[] {
  const { hook } = chain;
  const name = textAttr(NFTA_CHAIN_NAME, chain.name);
  if (hook === undefined) return [name];
  const devices = hook.devices?.map((device) => textAttr(NFTA_DEVICE_NAME, device));
  return [
    name,
    nestedAttr(NFTA_CHAIN_HOOK, [
      beU32Attr(NFTA_HOOK_HOOKNUM, hook.number),
      beU32Attr(NFTA_HOOK_PRIORITY, hook.priority),
      ...optional(devices, (names) => nestedAttr(NFTA_HOOK_DEVS, names)),
    ]),
    beU32Attr(NFTA_CHAIN_POLICY, NF_ACCEPT),
    textAttr(NFTA_CHAIN_TYPE, hook.type ?? 'filter'),
  ];
}

/** The same of a rule. */
export function ruleAttributes(chain: string, rule: readonly Expression[]): readonly Uint8Array[] {
  return [textAttr(NFTA_RULE_CHAIN, chain), expressionList(NFTA_RULE_EXPRESSIONS, rule)];
}

function elementAttr(element: SetElement): Uint8Array {
  return nestedAttr(NFTA_LIST_ELEM, [
    dataValue(NFTA_SET_ELEM_KEY, element.key),
    ...(element.intervalEnd === true ? [beU32Attr(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END)] : []),
  ]);
}

function elementRequests(table: TableSpec, set: SetSpec, tableName: Uint8Array): readonly NetlinkRequest[] {
  const elements = set.elements ?? [];
  const requests: NetlinkRequest[] = [];
  for (let at = 0; at < elements.length; at += ELEMENTS_AT_ONCE) {
    const some = elements.slice(at, at + ELEMENTS_AT_ONCE).map(elementAttr);
    requests.push(
      nftRequest('NEWSETELEM', table.family, `${table.name} ${set.name}`, {
        flags: NLM_F_CREATE,
        attributes: [
          tableName,
          textAttr(NFTA_SET_ELEM_LIST_SET, set.name),
          nestedAttr(NFTA_SET_ELEM_LIST_ELEMENTS, [concat(some)]),
        ],
      }),
    );
  }
  return requests;
}

/**
 * A set that is made with a bound gets its hash table at full size at once (rhashtable_init, nelem_hint): 128 KiB for 12,288
 * elements. One whose bound is set afterwards does not. In one batch nobody sees it without.
 */
function setRequests({ family, name }: TableName, set: SetSpec, id: number): readonly NetlinkRequest[] {
  const request = (attributes: readonly Uint8Array[]): NetlinkRequest =>
    nftRequest('NEWSET', family, `${name} ${set.name}`, {
      flags: NLM_F_CREATE,
      // An id that only this batch knows: required, although names are used throughout.
      attributes: [textAttr(NFTA_TABLE, name), ...attributes, beU32Attr(NFTA_SET_ID, id)],
    });
  const whole = request(setAttributes(set));
  if (set.most === undefined || set.allocated === true) return [whole];
  return [request(setAttributes({ ...set, most: undefined })), whole];
}

function userData(comment: string): Uint8Array {
  const text = utf8(`${comment}\0`);
  return concat([Uint8Array.of(NFTNL_UDATA_TABLE_COMMENT, text.length), text]);
}

function tableRequest(
  message: 'NEWTABLE' | 'DELTABLE' | 'GETTABLE',
  { family, name, comment }: TableName & Pick<TableSpec, 'comment'>,
): NetlinkRequest {
  return nftRequest(message, family, name, {
    flags: message === 'NEWTABLE' ? NLM_F_CREATE : 0,
    attributes: [
      textAttr(NFTA_TABLE, name),
      ...optional(comment, (text) => attr(NFTA_TABLE_USERDATA, userData(text))),
    ],
  });
}

/** ENOENT when there is none. Not part of a batch. */
export function getTableRequest({ family, name }: TableName): NetlinkRequest {
  return tableRequest('GETTABLE', { family, name });
}

/**
 * Whether NFT_MSG_NEWTABLE tells of a table with the same comment and as many chains and sets. Enough where the comment
 * names what is in the table and nobody changes single rules.
 */
export function isSameTable(spec: TableSpec, payload: Uint8Array): Result<boolean, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(payload, 'nfgenmsg', NFGENMSG_LENGTH);
    const seen = new Attributes(header.after(NFGENMSG_LENGTH), 'NFT_MSG_NEWTABLE');
    const comment = seen.bytes(NFTA_TABLE_USERDATA) ?? new Uint8Array(0);
    const use = readBeU32(seen.bytes(NFTA_TABLE_USE));
    return equalBytes(comment, userData(spec.comment ?? '')) && use === spec.sets.length + spec.chains.length;
  });
}

/** Without an error when there is none: it is made first. To stand in a batch. */
export function removeTableRequests(table: TableName): readonly NetlinkRequest[] {
  const { family, name } = table;
  return [tableRequest('NEWTABLE', { family, name }), tableRequest('DELTABLE', { family, name })];
}

/** The whole table, whatever is there of it. To stand in a batch. */
export function putTableRequests(table: TableSpec): readonly NetlinkRequest[] {
  return [...removeTableRequests(table), tableRequest('NEWTABLE', table), ...contentRequests(table)];
}

/** The whole table; EEXIST when there is one of this name. To stand in a batch. */
export function addTableRequests(table: TableSpec): readonly NetlinkRequest[] {
  const request = tableRequest('NEWTABLE', table);
  return [{ ...request, flags: request.flags | NLM_F_EXCL }, ...contentRequests(table)];
}

function contentRequests(table: TableSpec): readonly NetlinkRequest[] {
  const tableName = textAttr(NFTA_TABLE, table.name);
  const { family, name } = table;
  const sets = table.sets.flatMap((set, at) => [
    ...setRequests(table, set, at + 1),
    ...elementRequests(table, set, tableName),
  ]);
  const chains = table.chains.map((chain) =>
    nftRequest('NEWCHAIN', family, `${name} ${chain.name}`, {
      flags: NLM_F_CREATE,
      attributes: [tableName, ...chainAttributes(chain)],
    }),
  );
  const rules = table.chains.flatMap((chain) =>
    chain.rules.map((rule, at) =>
      nftRequest('NEWRULE', family, `${name} ${chain.name}, rule ${at + 1}`, {
        flags: NLM_F_CREATE | NLM_F_APPEND,
        attributes: [tableName, ...ruleAttributes(chain.name, rule)],
      }),
    ),
  );
  return [...sets, ...chains, ...rules];
}
