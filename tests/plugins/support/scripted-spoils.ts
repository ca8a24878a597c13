import { utf8 } from '../../../src/base/bytes.ts';
import { IPV4_ANY, ipv4, ipv4ToBytes } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { DHCP_MESSAGE_TYPE } from '../../../src/wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';

const { DHCPOFFER, DHCPNAK } = DHCP_MESSAGE_TYPE;

export const OPTION = {
  mask: 1,
  router: 3,
  dns: 6,
  hostName: 12,
  leaseTime: 51,
  overload: 52,
  type: 53,
  server: 54,
  message: 56,
  renewal: 58,
  rebinding: 59,
  clientId: 61,
} as const;

type Change = (reply: Dhcp4Message) => Dhcp4Message | undefined;

/** How answers are spoiled; a change to undefined: no answer at all. `raw` changes the bytes. */
export type Spoil = {
  readonly offer?: Change;
  /** The answer to a REQUEST without ciaddr. */
  readonly ack?: Change;
  /** The answer to a REQUEST with ciaddr: renewing, rebinding. */
  readonly renewal?: Change;
  readonly raw?: (bytes: Uint8Array) => Uint8Array;
  /** Of OFFERs, or of all answers to REQUESTs. */
  readonly offerDelayMs?: number;
  readonly ackDelayMs?: number;
  /** How often each answer is sent. */
  readonly copies?: number;
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

/** Where options begin (RFC 2131 figure 1), behind the magic cookie. */
const OPTIONS_AT = 240;
const FILE_AT = 108;
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

/** All options once more behind the first ones: parts of one value (RFC 3396), so that a time has eight bytes. */
function duplicate(bytes: Uint8Array): Uint8Array {
  const end = bytes.lastIndexOf(OPTION_END);
  const options = bytes.subarray(OPTIONS_AT, end);
  return Uint8Array.of(...bytes.subarray(0, end), ...options, OPTION_END);
}

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
  'renewal-silent': { renewal: silence },
  'renewal-wrong-xid': { renewal: wrongXid },
  'renewal-no-server-id': { renewal: (reply) => withOption(reply, OPTION.server, undefined) },
  'ack-silent': { ack: silence, renewal: silence },
  'ack-other-server': {
    ack: (reply) => withOption(reply, OPTION.server, ipv4ToBytes(ipv4('192.168.2.77'))),
  },
  // One byte of an option, the length of which runs past the end.
  overrun: { raw: (bytes) => Uint8Array.of(...bytes.subarray(0, OPTIONS_AT), 53, 200, DHCPOFFER) },
  'no-cookie': { raw: (bytes) => bytes.with(236, 0) },
  short: { raw: (bytes) => bytes.subarray(0, 200) },
  overloaded: { raw: overload },
  duplicated: { raw: duplicate },
  twice: { copies: 2 },
  'other-source': { otherSource: true },
  reversed: { reversed: true },
};

/** The same address always, whoever asks and whatever was declined. */
function giving(last: number): Change {
  return (reply) => ({ ...reply, yiaddr: ipv4(`192.168.2.${last}`) });
}

/**
 * Those with a number: `lease-10`, `t1-8`, `t2-9` in seconds, `late-offer-8000` in milliseconds, `address-77` and
 * `renewal-address-50`, the last byte of the address that is given.
 */
const NUMBERED: Readonly<Record<string, (value: number) => Spoil>> = {
  lease: (value) => having(OPTION.leaseTime, seconds(value)),
  t1: (value) => having(OPTION.renewal, seconds(value)),
  t2: (value) => having(OPTION.rebinding, seconds(value)),
  'late-offer': (value) => ({ offerDelayMs: value }),
  'late-ack': (value) => ({ ackDelayMs: value }),
  address: (value) => always(giving(value)),
  'renewal-address': (value) => ({ renewal: giving(value) }),
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
