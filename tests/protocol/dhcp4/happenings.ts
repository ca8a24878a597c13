import * as fc from 'fast-check';
import { IPV4_ANY } from '../../../src/base/ipv4.ts';
import { EXTRA } from '../../../src/protocol/dhcp4/extras.ts';
import { type Habit, nameless } from '../../../src/protocol/dhcp4/habit.ts';
import type { Source } from '../../../src/protocol/dhcp4/source.ts';
import type { Dhcp4Config } from '../../../src/protocol/dhcp4/state.ts';
import type { DhcpMessageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import type { OptionName } from '../../../src/wire/dhcp4/options.ts';
import {
  ADDRESS,
  CONFIG,
  HELD_ADDRESS,
  net,
  OF_SERVER,
  OTHER_ADDRESS,
  OTHER_SERVER,
  SERVER,
  ROGUE_MAC,
  SERVER_MAC,
} from './messages.ts';

/** What happens: our timer, time that passes, a message (to the transaction under way, or nearly), the owner's will. */
export type Happening =
  | { readonly kind: 'wake' | 'conflict' | 'release' | 'start' | 'renew' }
  /** `counter` of a FORCERENEW, and whether it is signed with the nonce of the lease. */
  | { readonly kind: 'force-renew'; readonly counter: number; readonly signed: boolean }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'link-up'; readonly verify: boolean }
  | {
      readonly kind: 'message';
      readonly type: DhcpMessageTypeName;
      readonly lease: number;
      readonly t1: number | undefined;
      readonly t2: number | undefined;
      readonly v6Only: number | undefined;
      readonly server: string;
      readonly yiaddr: string;
      /** Bits; undefined for the usual mask. */
      readonly mask: number | undefined;
      /** Of option 3. */
      readonly router: string;
      /** Bits of the transaction id that differ; 1: a transaction without option 61 (see namelessXid). */
      readonly xidOff: number;
      readonly rapid: boolean;
      /** Option 90 with a nonce, and option 145. */
      readonly nonce: boolean;
      readonly source: Source | undefined;
      readonly mangled: Partial<Record<OptionName, readonly number[]>>;
    };

const MANGLED: readonly OptionName[] = [
  'dhcp-lease-time',
  'subnet-mask',
  'routers',
  'dhcp-server-identifier',
  'dhcp-renewal-time',
  'dhcp-rebinding-time',
  'rfc3442-classless-static-routes',
  'dhcp-client-identifier',
  'interface-mtu',
  'dhcp-message',
  'v6-only-preferred',
  'authenticate',
];
const SECONDS = [0, 1, 2, 10, 120, 3600, 86_400, 0xfffffffe, 0xffffffff] as const;
/** With the usual mask no lease may come of them; of the last ones, in PROTECTED, with none. */
const UNUSABLE = [IPV4_ANY, SERVER, '192.168.1.255', '169.254.7.7', '10.96.0.7', '10.111.255.254'] as const;
export const PROTECTED = [net('10.96.0.0/12')];
const timer = fc.option(fc.constantFrom(...SECONDS), { nil: undefined });
const mangled = fc.dictionary(
  fc.constantFrom(...MANGLED),
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 }),
  { maxKeys: 2 },
);
const source: fc.Arbitrary<Source | undefined> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(OF_SERVER) },
  {
    weight: 2,
    arbitrary: fc.record({
      address: fc.constantFrom(SERVER, OTHER_SERVER, ADDRESS),
      mac: fc.constantFrom(SERVER_MAC, ROGUE_MAC),
      holder: fc.constantFrom('sender', 'other', 'nobody', 'unasked', undefined),
    }),
  },
  { weight: 1, arbitrary: fc.constant(undefined) },
);
const TYPES = ['DHCPOFFER', 'DHCPOFFER', 'DHCPACK', 'DHCPACK', 'DHCPACK', 'DHCPNAK', 'DHCPDISCOVER'] as const;

export const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ kind: 'wake' } as const) },
  { weight: 1, arbitrary: fc.constantFrom('conflict', 'start').map((kind) => ({ kind }) as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'renew' } as const) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('force-renew' as const),
      counter: fc.integer({ min: 1, max: 20 }),
      signed: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 5_000_000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('link-up' as const), verify: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 2000 }) }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('message' as const),
      type: fc.constantFrom(...TYPES),
      lease: fc.constantFrom(...SECONDS),
      t1: timer,
      t2: timer,
      v6Only: fc.constantFrom(undefined, undefined, undefined, 0, 400),
      server: fc.constantFrom<string>(SERVER, SERVER, SERVER, OTHER_SERVER),
      yiaddr: fc.oneof(
        {
          weight: 6,
          arbitrary: fc.constantFrom<string>(ADDRESS, ADDRESS, ADDRESS, OTHER_ADDRESS, HELD_ADDRESS),
        },
        { weight: 1, arbitrary: fc.constantFrom(...UNUSABLE) },
      ),
      mask: fc.oneof(
        { weight: 5, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 32 }) },
      ),
      router: fc.constantFrom(
        SERVER,
        SERVER,
        SERVER,
        SERVER,
        '192.168.1.0',
        '192.168.1.255',
        ADDRESS,
        IPV4_ANY,
      ),
      xidOff: fc.constantFrom(0, 0, 0, 0, 1),
      rapid: fc.boolean(),
      nonce: fc.constantFrom(true, true, false),
      source,
      mangled: fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: mangled }),
    }),
  },
);

export const config: fc.Arbitrary<Dhcp4Config> = fc.record({
  chaddr: fc.constant(CONFIG.chaddr),
  clientId: fc.constantFrom(CONFIG.clientId, undefined),
  clientIdOptional: fc.boolean(),
  requestedAddress: fc.constantFrom(undefined, undefined, ADDRESS),
  parameterRequest: fc.constant(CONFIG.parameterRequest),
  send: fc.constant(CONFIG.send),
  rapidCommit: fc.boolean(),
  broadcast: fc.constantFrom('auto', 'always', 'never'),
  servers: fc.constantFrom([], [], [SERVER]),
  relays: fc.constantFrom([], [OTHER_SERVER]),
  ipv6Only: fc.boolean(),
  forceRenew: fc.boolean(),
});

const leftOut = fc.subarray([EXTRA.rapidCommit, EXTRA.parameterRequestList, EXTRA.maxMessageSize]);
const manner = fc.record({ leftOut, broadcast: fc.boolean() });

/** What clients before this one found out. */
export const habit: fc.Arbitrary<Habit> = fc
  .record({
    known: fc.record({ first: manner, whole: manner, request: leftOut, failed: fc.nat(6) }),
    isNameless: fc.boolean(),
  })
  .map(({ known, isNameless }) => (isNameless ? nameless(known) : known));

/** An address that was held before. */
export const last = fc.constantFrom(undefined, ADDRESS, OTHER_ADDRESS, HELD_ADDRESS);
export const seeds = fc.integer({ min: 0, max: 2 ** 31 });
