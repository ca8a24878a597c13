import * as fc from 'fast-check';
import { networkOf } from '../../../src/base/cidr.ts';
import { ipv4FromNumber, type Ipv4 } from '../../../src/base/ipv4.ts';
import { isPlain } from '../../../src/base/outside-text.ts';
import { ipv6FromBytes } from '../../../src/base/ipv6.ts';
import { macFromBytes, type Mac } from '../../../src/base/mac.ts';
import {
  classlessRoutes,
  ipv4Address,
  ipv4List,
  ipv4ListOrNone,
  ipv4Mask,
  ipv6Address,
} from '../../../src/wire/dhcp4/codec-address.ts';
import { clientFqdn, userClasses, vendorData } from '../../../src/wire/dhcp4/codec-class.ts';
import { domainName, domainNames, searchList, sipServers } from '../../../src/wire/dhcp4/codec-name.ts';
import {
  datagramSize,
  duration,
  flag,
  mtu,
  presence,
  s32,
  ttl,
  u16,
  u16List,
  u32,
  u8,
  u8List,
} from '../../../src/wire/dhcp4/codec-number.ts';
import { text } from '../../../src/wire/dhcp4/codec-text.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { DHCP_MESSAGE_TYPE, messageType } from '../../../src/wire/dhcp4/message-type.ts';
import { OPTION_OVERLOAD, type OptionRow } from '../../../src/wire/dhcp4/options.ts';

export const anyIpv4: fc.Arbitrary<Ipv4> = fc.nat(0xffffffff).map(ipv4FromNumber);
export const anyMac: fc.Arbitrary<Mac> = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => macFromBytes(bytes));

/** Records with the prototype that literals have, as deepEqual compares it. */
function plain<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffffffff;
const anyPrefix = fc.nat(32);
const anyMask = anyPrefix.map((prefix) => ipv4FromNumber(prefix === 0 ? 0 : (U32 << (32 - prefix)) >>> 0));
const anyRoute = fc
  .tuple(anyIpv4, anyPrefix, anyIpv4)
  .map(([address, prefix, router]) => ({ destination: networkOf({ address, prefix }), router }));
const anyLabel = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const anyName = fc.array(anyLabel, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'));
const anyNames = fc.array(anyName, { minLength: 1, maxLength: 6 });
const anyAddresses = fc.array(anyIpv4, { minLength: 1, maxLength: 8 });
// Trailing NULs cannot come here: control characters are out.
const anyText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter(isPlain);
const anyBytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });

const anyFqdn = fc.oneof(
  plain({
    serverUpdates: fc.boolean(),
    overridden: fc.boolean(),
    encoded: fc.constant(true),
    noUpdates: fc.boolean(),
    name: fc.oneof(
      anyName,
      anyName.map((name) => `${name}.`),
      fc.constant(''),
    ),
  }),
  plain({
    serverUpdates: fc.boolean(),
    overridden: fc.boolean(),
    encoded: fc.constant(false),
    noUpdates: fc.boolean(),
    name: anyText,
  }),
);

const BY_CODEC: ReadonlyMap<unknown, fc.Arbitrary<unknown>> = new Map<unknown, fc.Arbitrary<unknown>>([
  [u8, fc.nat(U8)],
  [u16, fc.nat(U16)],
  [u32, fc.nat(U32)],
  [duration, fc.nat(U32)],
  [s32, fc.integer()],
  [ttl, fc.integer({ min: 1, max: U8 })],
  [mtu, fc.integer({ min: 68, max: U16 })],
  [datagramSize, fc.integer({ min: 576, max: U16 })],
  [u8List, fc.array(fc.nat(U8), { minLength: 1 })],
  [u16List, fc.array(fc.nat(U16), { minLength: 1 })],
  [flag, fc.boolean()],
  [presence, fc.constant(true)],
  [messageType, fc.constantFrom(...Object.values(DHCP_MESSAGE_TYPE))],
  [ipv4Address, anyIpv4],
  [ipv4Mask, anyMask],
  [ipv4List, anyAddresses],
  [ipv4ListOrNone, fc.oneof(anyAddresses, fc.constant([]))],
  [ipv6Address, anyBytes(16, 16).map(ipv6FromBytes)],
  [classlessRoutes, fc.array(anyRoute, { minLength: 1, maxLength: 8 })],
  [text, anyText],
  [searchList, anyNames],
  [domainNames, anyNames],
  [domainName, anyName],
  [
    sipServers,
    fc.oneof(
      anyNames.map((names) => ({ by: 'name', names })),
      anyAddresses.map((addresses) => ({ by: 'address', addresses })),
    ),
  ],
  [userClasses, fc.array(anyBytes(1, 30), { minLength: 1, maxLength: 5 })],
  [
    vendorData,
    fc.array(plain({ enterprise: fc.nat(U32), data: anyBytes(0, 30) }), { minLength: 1, maxLength: 4 }),
  ],
  [clientFqdn, anyFqdn],
]);

/** Values of the row's type. Undefined for a codec that nobody has added here: the test says so. */
export function anyValue(row: OptionRow): fc.Arbitrary<unknown> | undefined {
  const known = BY_CODEC.get(row.codec);
  if (known !== undefined) return known;
  const { kind } = row.codec;
  const pair = /^pairs of IPv4 addresses \((\w+), (\w+)\)$/.exec(kind);
  if (pair !== null) {
    const [, first = '', second = ''] = pair;
    return fc.array(plain({ [first]: anyIpv4, [second]: anyIpv4 }), { minLength: 1, maxLength: 6 });
  }
  const fixed = /^(\d+) bytes$/.exec(kind);
  if (fixed !== null) return anyBytes(Number(fixed[1]), Number(fixed[1]));
  // The greatest least length in the table.
  return kind === 'bytes' ? anyBytes(22, 60) : undefined;
}

const anyCode = fc.integer({ min: 1, max: 254 }).filter((code) => code !== OPTION_OVERLOAD);
const anyOptions = fc
  .uniqueArray(fc.tuple(anyCode, fc.oneof(anyBytes(0, 40), anyBytes(250, 300))), {
    maxLength: 4,
    selector: ([code]) => code,
  })
  .map((entries) => new Map(entries));
const anyField = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 1, max: U8 }), { maxLength }).map((codes) => String.fromCharCode(...codes));

export const anyMessage: fc.Arbitrary<Dhcp4Message> = plain<Dhcp4Message>({
  op: fc.constantFrom('request', 'reply'),
  xid: fc.nat(U32),
  secs: fc.nat(U16),
  broadcast: fc.boolean(),
  ciaddr: anyIpv4,
  yiaddr: anyIpv4,
  siaddr: anyIpv4,
  giaddr: anyIpv4,
  chaddr: anyMac,
  sname: anyField(64),
  file: anyField(128),
  options: anyOptions,
});
