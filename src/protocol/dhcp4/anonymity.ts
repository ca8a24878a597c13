import { DHCP_MESSAGE_TYPE } from '../../wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { DHCP4_OPTIONS } from '../../wire/dhcp4/options.ts';

// What a client says that wants nobody to know it again (RFC 7844): its link-layer address is another one for each life of
// a pod, and its messages carry nothing beside. Where the machine asks for an address it looks at `anonymous` of its
// configuration too: no address of before is asked for (3.3). All that leaves passes `anonymized`, so that a message that is
// built somewhere else cannot say more.

const TYPE = DHCP4_OPTIONS['dhcp-message-type'].code;
const REQUEST_LIST = DHCP4_OPTIONS['dhcp-parameter-request-list'].code;
const CLIENT_ID = DHCP4_OPTIONS['dhcp-client-identifier'].code;
const REQUESTED = DHCP4_OPTIONS['dhcp-requested-address'].code;
const SERVER_ID = DHCP4_OPTIONS['dhcp-server-identifier'].code;
const CLASSLESS_ROUTES = DHCP4_OPTIONS['rfc3442-classless-static-routes'].code;
/** What option 121 takes the place of. */
const OLD_ROUTES: ReadonlySet<number> = new Set([
  DHCP4_OPTIONS.routers.code,
  DHCP4_OPTIONS['static-routes'].code,
]);

/**
 * "SHOULD only request a minimal number of options" (RFC 7844 3.6): mask, routes, router, name servers, domain. The same
 * for all. What of a lease is not asked for (T1, T2, MTU) has a value without a server.
 */
export const ANONYMOUS_REQUEST: readonly number[] = [
  DHCP4_OPTIONS['subnet-mask'].code,
  CLASSLESS_ROUTES,
  DHCP4_OPTIONS.routers.code,
  DHCP4_OPTIONS['domain-name-servers'].code,
  DHCP4_OPTIONS['domain-name'].code,
];

/** RFC 7844 3: the options of each message that MUST or MAY be in it; it SHOULD NOT contain any other. */
const ALLOWED: ReadonlyMap<number | undefined, ReadonlySet<number>> = new Map([
  [DHCP_MESSAGE_TYPE.DHCPDISCOVER, new Set([TYPE, CLIENT_ID, REQUEST_LIST])],
  [DHCP_MESSAGE_TYPE.DHCPREQUEST, new Set([TYPE, CLIENT_ID, REQUEST_LIST, SERVER_ID, REQUESTED])],
  [DHCP_MESSAGE_TYPE.DHCPDECLINE, new Set([TYPE, CLIENT_ID, SERVER_ID, REQUESTED])],
  [DHCP_MESSAGE_TYPE.DHCPRELEASE, new Set([TYPE, CLIENT_ID, SERVER_ID])],
]);
const LEAST: ReadonlySet<number> = new Set([TYPE, CLIENT_ID]);

/** The message without what says more of its sender than it must, its options and its list in random order (3.1, 3.6). `random`: in [0, 1). */
export function anonymized(message: Dhcp4Message, random: () => number): Dhcp4Message {
  const allowed = ALLOWED.get(message.options.get(TYPE)?.[0]) ?? LEAST;
  const kept = [...message.options].filter(([code]) => allowed.has(code));
  const options = shuffled(kept, random).map(([code, value]): readonly [number, Uint8Array] =>
    code === REQUEST_LIST
      ? [code, Uint8Array.from(classlessFirst(shuffled([...value], random)))]
      : [code, value],
  );
  return { ...message, options: new Map(options) };
}

/** Fisher and Yates: each order is as likely as any other. */
function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1));
  return order;
}

/**
 * Option 121 changes places with the first of those that it MUST come before (RFC 3442): each order that is left stays as likely
 * as any other. (Where the order is configured it moves there instead, and the others keep theirs: cni/dhcp/request.ts.)
 */
function classlessFirst(codes: readonly number[]): readonly number[] {
  const first = codes.findIndex((code) => OLD_ROUTES.has(code));
  const at = codes.indexOf(CLASSLESS_ROUTES);
  if (first < 0 || at < first) return codes;
  return codes.with(at, codes[first] ?? CLASSLESS_ROUTES).with(first, CLASSLESS_ROUTES);
}
