import { DHCP4_OPTIONS, optionName } from '../../wire/dhcp4/options.ts';

/** What a message may carry and need not: servers, relays and firewalls were seen to drop messages over each of them. */
export const EXTRA = {
  maxMessageSize: DHCP4_OPTIONS['dhcp-max-message-size'].code,
  parameterRequestList: DHCP4_OPTIONS['dhcp-parameter-request-list'].code,
  clientIdentifier: DHCP4_OPTIONS['dhcp-client-identifier'].code,
  rapidCommit: DHCP4_OPTIONS['rapid-commit'].code,
  fqdn: DHCP4_OPTIONS.fqdn.code,
  forceRenew: DHCP4_OPTIONS['forcerenew-nonce-capable'].code,
} as const;

/** For logs and screens: "80 (rapid-commit)". */
export function extraText(code: number): string {
  return `${code} (${optionName(code)})`;
}

/** What is asked for when the list (option 55) is "left out": the Go plugin's figure, which every server was made for. */
const SHORT_LIST: readonly number[] = [
  DHCP4_OPTIONS['subnet-mask'].code,
  DHCP4_OPTIONS['routers'].code,
  DHCP4_OPTIONS['domain-name'].code,
  DHCP4_OPTIONS['domain-name-servers'].code,
];

/** How one message differs from what is configured. */
export type Manner = {
  /** Codes of extras that it lacks; 55: the list is the short one. */
  readonly leftOut: readonly number[];
  /** The broadcast bit, where that is ours to choose (`auto`). */
  readonly broadcast: boolean;
};

/** The codes of several lists, each once. */
export function union(...lists: readonly (readonly number[])[]): readonly number[] {
  return [...new Set(lists.flat())];
}

/** Of codes that are left out: option 61, if it is among them. */
export function nameOnly(leftOut: readonly number[]): readonly number[] {
  return leftOut.filter((code) => code === EXTRA.clientIdentifier);
}

/** What of a client's configuration (Dhcp4Config) makes its extras. */
export type Extras = {
  readonly clientId: string | undefined;
  readonly parameterRequest: readonly number[];
  readonly send: Readonly<Record<number, string>>;
  readonly rapidCommit: boolean;
  readonly ipv6Only: boolean;
  readonly forceRenew?: boolean | undefined;
};

/** Those beside the identity: what the doctor tries one by one for a pod that nobody answers. */
export type PodExtras = Pick<Extras, 'parameterRequest' | 'send' | 'rapidCommit' | 'forceRenew'>;

/** A configuration with some extras left out. */
export type Lean<T extends Extras> = T & {
  /** Option 57 is not sent. */
  readonly noMessageSize?: boolean;
};

/** The same client, with less to say. */
export function withoutExtras<T extends Extras>(config: T, leftOut: readonly number[] | undefined): Lean<T> {
  if (leftOut === undefined || leftOut.length === 0) return config;
  const lacks = (code: number): boolean => leftOut.includes(code);
  return {
    ...config,
    clientId: lacks(EXTRA.clientIdentifier) ? undefined : config.clientId,
    // The answer to a DISCOVER with option 80 is the lease, so that it is sent in whole messages only.
    rapidCommit: config.rapidCommit && nameOnly(leftOut).length === leftOut.length,
    parameterRequest: lacks(EXTRA.parameterRequestList) ? shortList(config) : config.parameterRequest,
    send: Object.fromEntries(Object.entries(config.send).filter(([code]) => !lacks(Number(code)))),
    noMessageSize: lacks(EXTRA.maxMessageSize),
    forceRenew: config.forceRenew === true && !lacks(EXTRA.forceRenew),
  };
}

/** Option 108 stays: who is to honour it has to ask for it (RFC 8925 3.2). */
function shortList({ ipv6Only }: Extras): readonly number[] {
  return ipv6Only ? [...SHORT_LIST, DHCP4_OPTIONS['v6-only-preferred'].code] : SHORT_LIST;
}

/** Nearly every client of the world sends a host name, and servers bind reservations to it (dnsmasq): it stays. */
const HOST_NAME = DHCP4_OPTIONS['host-name'].code;

/**
 * Extras in the order in which they are given up, what costs least first: option 80 saves a round trip and no more, and
 * without option 145 a server is heard at T1, as most are; the list and the size are asked for again in the REQUEST; a name is for the server's DNS; what else is configured (a
 * vendor class) may decide on the pool, so it is the last. The client identifier is none of them: it is the identity.
 */
export function ladderOf({ send, forceRenew }: Extras): readonly (readonly number[])[] {
  const configured = Object.keys(send).map(Number);
  const others = configured.filter((code) => code !== EXTRA.fqdn && code !== HOST_NAME);
  return [
    [EXTRA.rapidCommit, ...(forceRenew === true ? [EXTRA.forceRenew] : [])],
    [EXTRA.parameterRequestList, EXTRA.maxMessageSize],
    ...(configured.includes(EXTRA.fqdn) ? [[EXTRA.fqdn]] : []),
    ...(others.length > 0 ? [others] : []),
  ];
}
