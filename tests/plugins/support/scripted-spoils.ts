import { utf8 } from '../../../src/base/bytes.ts';
import { mac, macToBytes } from '../../../src/base/mac.ts';
import {
  IPV4_ANY,
  ipv4,
  ipv4FromNumber,
  ipv4ToBytes,
  ipv4ToNumber,
  maskFromPrefix,
} from '../../../src/base/ipv4.ts';
import { DHCP_MESSAGE_TYPE } from '../../../src/wire/dhcp4/message-type.ts';
import { NONCE_ALGORITHMS, nonceAuthentication } from '../../../src/wire/dhcp4/authentication.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';

const { DHCPOFFER, DHCPACK, DHCPNAK } = DHCP_MESSAGE_TYPE;

export const OPTION = {
  mask: 1,
  router: 3,
  dns: 6,
  hostName: 12,
  domain: 15,
  leaseTime: 51,
  overload: 52,
  type: 53,
  server: 54,
  list: 55,
  message: 56,
  renewal: 58,
  rebinding: 59,
  clientId: 61,
  search: 119,
  rapidCommit: 80,
  authenticate: 90,
  nonceCapable: 145,
} as const;

/** What `nonce` gives to each client, for FORCERENEW (RFC 6704). */
export const NONCE = utf8('sixteen bytes it');
/** The counter of the first message (RFC 3118 2). */
const NO_REPLAY = '0000000000000001';

type Change = (reply: Dhcp4Message, to: Dhcp4Message) => Dhcp4Message | undefined;

/** How answers are spoiled; a change to undefined: no answer at all. `raw` changes the bytes. */
export type Spoil = {
  readonly offer?: Change;
  /** The answer to a REQUEST without ciaddr. */
  readonly ack?: Change;
  /** The answer to a REQUEST with ciaddr: renewing, rebinding. */
  readonly renewal?: Change;
  /** The one to a broadcast with ciaddr, where it is another. */
  readonly rebinding?: Change;
  readonly raw?: (bytes: Uint8Array) => Uint8Array;
  /** Of OFFERs, or of all answers to REQUESTs. */
  readonly offerDelayMs?: number;
  readonly ackDelayMs?: number;
  /** How often each answer is sent. */
  readonly copies?: number;
  /** Messages that it does not answer at all, for what is in them. */
  readonly trips?: (message: Dhcp4Message) => boolean;
  /** From another address of the server's machine than option 54 says. */
  readonly otherSource?: boolean;
  /** Each answer waits for the next message of the client, and goes out after the answer to that. */
  readonly reversed?: boolean;
};

function withOption(reply: Dhcp4Message, code: number, bytes: Uint8Array | undefined): Dhcp4Message {
  const options = new Map(reply.options);
  if (bytes === undefined) options.delete(code);
  else options.set(code, bytes);
  return { ...reply, options };
}

function seconds(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** The same in OFFER and ACK, first and later. */
function always(change: Change): Spoil {
  return { offer: change, ack: change, renewal: change };
}

function without(code: number): Spoil {
  return always((reply) => withOption(reply, code, undefined));
}

function having(code: number, bytes: Uint8Array): Spoil {
  return always((reply) => withOption(reply, code, bytes));
}

const refuse: Change = (reply) => ({
  ...reply,
  yiaddr: IPV4_ANY,
  options: new Map([
    [OPTION.type, Uint8Array.of(DHCPNAK)],
    [OPTION.server, reply.options.get(OPTION.server) ?? new Uint8Array()],
    [OPTION.message, utf8('not on this wire')],
  ]),
});
const wrongXid: Change = (reply) => ({ ...reply, xid: (reply.xid ^ 1) >>> 0 });
const silence: Change = () => undefined;
/** Nothing but the times, and who grants them. */
const TIMES: ReadonlySet<number> = new Set([
  OPTION.type,
  OPTION.server,
  OPTION.leaseTime,
  OPTION.renewal,
  OPTION.rebinding,
]);
const timesOnly: Change = (reply) => ({
  ...reply,
  options: new Map([...reply.options].filter(([code]) => TIMES.has(code))),
});
/** An ACK in the place of the OFFER where rapid commit is offered, without saying so. */
const unmarkedAck: Change = (reply, to) =>
  to.options.has(OPTION.rapidCommit) ? withOption(reply, OPTION.type, Uint8Array.of(DHCPACK)) : reply;

/** Where options begin (RFC 2131 figure 1), behind the magic cookie. */
const OPTIONS_AT = 240;
const FILE_AT = 108;
const HTYPE_AT = 1;
const HLEN_AT = 2;
const OPTION_END = 255;
/** Option 52: the field `file` holds options too. */
const OVERLOAD_FILE = 1;

/** The options but the type and the end move into the field `file`, which option 52 announces (RFC 2132 9.3). */
function overload(bytes: Uint8Array): Uint8Array {
  const end = bytes.lastIndexOf(OPTION_END);
  const typeEnd = OPTIONS_AT + 3;
  const moved = bytes.subarray(typeEnd, end);
  const head = Uint8Array.from(bytes.subarray(0, OPTIONS_AT));
  head.fill(0, FILE_AT, FILE_AT + 128);
  head.set([...moved, OPTION_END], FILE_AT);
  return Uint8Array.of(
    ...head,
    ...bytes.subarray(OPTIONS_AT, typeEnd),
    OPTION.overload,
    1,
    OVERLOAD_FILE,
    OPTION_END,
  );
}

/** Further options behind those that the bytes have. */
function append(bytes: Uint8Array, more: Iterable<number>): Uint8Array {
  return Uint8Array.of(...bytes.subarray(0, bytes.lastIndexOf(OPTION_END)), ...more, OPTION_END);
}

/** All options once more behind the first ones. */
function duplicate(bytes: Uint8Array): Uint8Array {
  return append(bytes, bytes.subarray(OPTIONS_AT, bytes.lastIndexOf(OPTION_END)));
}

function withByte(at: number, byte: number): Spoil {
  return { raw: (bytes) => bytes.with(at, byte) };
}

/** Another lease time and another server, behind the server's own. */
const OTHER_TIME_AND_SERVER = [OPTION.leaseTime, 4, 0, 0, 0, 1, OPTION.server, 4, 192, 168, 2, 77];
/** Of three names in option 119 the middle one has a space in it. */
const SEARCH_LIST = [1, 97, 0, 3, 98, 32, 98, 0, 1, 99, 0];
const NO_ADDRESSES = [0, 0, 0, 0, 255, 255, 255, 255];

const SPOILS: Readonly<Record<string, Spoil>> = {
  good: {},
  // T1 after two seconds.
  'short-lease': having(OPTION.leaseTime, seconds(4)),
  'wrong-xid': always(wrongXid),
  'wrong-mac': always((reply) => ({ ...reply, chaddr: mac('02:5e:00:53:ff:ff') })),
  'not-a-reply': always((reply) => ({ ...reply, op: 'request' })),
  'no-server-id': without(OPTION.server),
  'malformed-server-id': having(OPTION.server, Uint8Array.of(192, 168, 2)),
  'no-type': without(OPTION.type),
  'malformed-lease-time': having(OPTION.leaseTime, Uint8Array.of(0, 1, 2)),
  'zero-lease-time': having(OPTION.leaseTime, seconds(0)),
  'bad-mask': having(OPTION.mask, Uint8Array.of(255, 0, 255, 0)),
  'no-mask': without(OPTION.mask),
  'far-router': having(OPTION.router, ipv4ToBytes(ipv4('10.99.0.1'))),
  'no-address': always((reply) => ({ ...reply, yiaddr: IPV4_ANY })),
  'multicast-address': always((reply) => ({ ...reply, yiaddr: ipv4('239.1.2.3') })),
  'other-client-id': having(OPTION.clientId, Uint8Array.of(0, 120)),
  nak: { ack: refuse, renewal: refuse },
  'renewal-nak': { renewal: refuse },
  'renewal-times-only': { renewal: timesOnly },
  'rebinding-nak': { renewal: silence, rebinding: refuse },
  nonce: {
    offer: (reply) => withOption(reply, OPTION.nonceCapable, Uint8Array.from(NONCE_ALGORITHMS)),
    ack: (reply) =>
      withOption(
        reply,
        OPTION.authenticate,
        nonceAuthentication({ kind: 'nonce', replay: NO_REPLAY, value: NONCE }),
      ),
  },
  'unmarked-ack': { offer: unmarkedAck },
  'renewal-silent': { renewal: silence },
  'renewal-wrong-xid': { renewal: wrongXid },
  'renewal-no-server-id': { renewal: (reply) => withOption(reply, OPTION.server, undefined) },
  'ack-silent': { ack: silence, renewal: silence },
  'ack-no-server-id': { ack: (reply) => withOption(reply, OPTION.server, undefined) },
  'ack-other-server': {
    ack: (reply) => withOption(reply, OPTION.server, ipv4ToBytes(ipv4('192.168.2.77'))),
  },
  // One byte of an option, the length of which runs past the end.
  overrun: { raw: (bytes) => Uint8Array.of(...bytes.subarray(0, OPTIONS_AT), 53, 200, DHCPOFFER) },
  'no-cookie': { raw: (bytes) => bytes.with(236, 0) },
  short: { raw: (bytes) => bytes.subarray(0, 200) },
  overloaded: { raw: overload },
  duplicated: { raw: duplicate },
  contradicting: { raw: (bytes) => append(bytes, OTHER_TIME_AND_SERVER) },
  'echo-cut': having(OPTION.clientId, Uint8Array.of(0)),
  'echo-empty': having(OPTION.clientId, new Uint8Array()),
  'echo-mac': always((reply) =>
    withOption(reply, OPTION.clientId, Uint8Array.of(1, ...macToBytes(reply.chaddr))),
  ),
  'type-0': withByte(HTYPE_AT, 0),
  'type-6': withByte(HTYPE_AT, 6),
  'length-0': withByte(HLEN_AT, 0),
  // replyTo keeps the ciaddr of the REQUEST.
  'renewal-no-yiaddr': { renewal: (reply) => ({ ...reply, yiaddr: IPV4_ANY }) },
  'odd-routers': having(OPTION.router, Uint8Array.of(...NO_ADDRESSES, 192, 168, 2, 1)),
  'odd-dns': having(OPTION.dns, Uint8Array.of(...NO_ADDRESSES, 192, 168, 2, 53)),
  'odd-domain': having(OPTION.domain, utf8('lan.example (none) corp.example')),
  'odd-search': having(OPTION.search, Uint8Array.from(SEARCH_LIST)),
  twice: { copies: 2 },
  'other-source': { otherSource: true },
  reversed: { reversed: true },
};

/** The same address always, whoever asks and whatever was declined. */
function giving(last: number): Change {
  return (reply) => ({ ...reply, yiaddr: ipv4(`192.168.2.${last}`) });
}

/** Another address than it would be, and no two clients get the same. */
function lower(by: number): Change {
  return (reply) => ({ ...reply, yiaddr: ipv4FromNumber(ipv4ToNumber(reply.yiaddr) - by) });
}

/**
 * Those with a number: `lease-10`, `t1-8`, `t2-9` in seconds, `late-offer-8000` in milliseconds, `address-77` and
 * `renewal-address-50`, the last byte of the address that is given, `ack-lower-190` and `renewal-lower-190`, by
 * which it is lower than the client's own, `trips-80` by an option's code, `trips-61-32` by its
 * code and the longest that is taken.
 */
const NUMBERED: Readonly<Record<string, (value: number) => Spoil>> = {
  // A network of that prefix, in place of /24.
  prefix: (value) => having(OPTION.mask, ipv4ToBytes(maskFromPrefix(value))),
  trips: (code) => ({ trips: ({ options }) => options.has(code) }),
  'trips-55': (codes) => ({ trips: ({ options }) => (options.get(OPTION.list)?.length ?? 0) > codes }),
  'trips-61': (bytes) => ({ trips: ({ options }) => (options.get(OPTION.clientId)?.length ?? 0) > bytes }),
  lease: (value) => having(OPTION.leaseTime, seconds(value)),
  t1: (value) => having(OPTION.renewal, seconds(value)),
  t2: (value) => having(OPTION.rebinding, seconds(value)),
  'late-offer': (value) => ({ offerDelayMs: value }),
  'late-ack': (value) => ({ ackDelayMs: value }),
  address: (value) => always(giving(value)),
  'ack-lower': (value) => ({ ack: lower(value) }),
  'renewal-address': (value) => ({ renewal: giving(value) }),
  'renewal-lower': (value) => ({ renewal: lower(value) }),
};

function spoilNamed(name: string): Spoil | undefined {
  const known = SPOILS[name];
  if (known !== undefined) return known;
  const [, kind = '', value = ''] = /^([a-z0-9-]+)-(\d+)$/.exec(name) ?? [];
  return NUMBERED[kind]?.(Number(value));
}

/** The faults that a host name asks for, in their order: `lease-10.renewal-nak`. Undefined with one that is unknown. */
export function spoilsOf(hostName: string): readonly Spoil[] | undefined {
  const spoils = hostName.split('.').map(spoilNamed);
  return spoils.every((spoil) => spoil !== undefined) ? spoils : undefined;
}
