/** How long a value may be, as RFC 2132 states it of each option, in its words and not in those of our codecs. */
export type Length = { readonly exactly: number } | { readonly least: number; readonly multipleOf?: number };

export type OptionLength = {
  readonly section: string;
  readonly code: number;
  readonly name: string;
  readonly length: Length;
};

type Named = readonly [section: string, code: number, name: string];

function all(length: Length, ...options: readonly Named[]): readonly OptionLength[] {
  return options.map(([section, code, name]) => ({ section, code, name, length }));
}

/**
 * All options of RFC 2132 but 61 and 68, about which there is more to say (./clauses/rfc2132.ts), and 62 and 63, which it
 * leaves to RFC 2242.
 */
export const OPTION_LENGTHS: readonly OptionLength[] = [
  ...all(
    { exactly: 1 },
    ['4.1', 19, 'IP forwarding'],
    ['4.2', 20, 'non-local source routing'],
    ['4.5', 23, 'default time-to-live'],
    ['5.2', 27, 'all subnets are local'],
    ['5.4', 29, 'mask discovery'],
    ['5.5', 30, 'mask supplier'],
    ['5.6', 31, 'router discovery'],
    ['6.1', 34, 'trailers'],
    ['6.3', 36, 'Ethernet encapsulation'],
    ['7.1', 37, 'TCP time-to-live'],
    ['7.3', 39, 'TCP keepalive garbage'],
    ['8.7', 46, 'NetBIOS node type'],
    ['9.3', 52, 'option overload'],
    ['9.6', 53, 'message type'],
  ),
  ...all(
    { exactly: 2 },
    ['3.15', 13, 'boot file size'],
    ['4.4', 22, 'datagram reassembly size'],
    ['5.1', 26, 'interface MTU'],
    ['9.10', 57, 'maximum message size'],
  ),
  ...all(
    { exactly: 4 },
    ['3.3', 1, 'subnet mask'],
    ['3.4', 2, 'time offset'],
    ['3.18', 16, 'swap server'],
    ['4.6', 24, 'path MTU aging timeout'],
    ['5.3', 28, 'broadcast address'],
    ['5.7', 32, 'router solicitation address'],
    ['6.2', 35, 'ARP cache timeout'],
    ['7.2', 38, 'TCP keepalive interval'],
    ['9.1', 50, 'requested address'],
    ['9.2', 51, 'lease time'],
    ['9.7', 54, 'server identifier'],
    ['9.11', 58, 'T1'],
    ['9.12', 59, 'T2'],
  ),
  ...all(
    { least: 1 },
    ['3.14', 12, 'host name'],
    ['3.16', 14, 'merit dump file'],
    ['3.17', 15, 'domain name'],
    ['3.19', 17, 'root path'],
    ['3.20', 18, 'extensions path'],
    ['8.1', 40, 'NIS domain'],
    ['8.4', 43, 'vendor-specific information'],
    ['8.8', 47, 'NetBIOS scope'],
    ['8.11', 64, 'NIS+ domain'],
    ['9.4', 66, 'TFTP server name'],
    ['9.5', 67, 'boot file name'],
    ['9.8', 55, 'parameter request list'],
    ['9.9', 56, 'message'],
    ['9.13', 60, 'vendor class identifier'],
  ),
  ...all({ least: 2, multipleOf: 2 }, ['4.7', 25, 'path MTU plateaus']),
  ...all(
    { least: 4, multipleOf: 4 },
    ['3.5', 3, 'routers'],
    ['3.6', 4, 'time servers'],
    ['3.7', 5, 'IEN 116 name servers'],
    ['3.8', 6, 'name servers'],
    ['3.9', 7, 'log servers'],
    ['3.10', 8, 'cookie servers'],
    ['3.11', 9, 'LPR servers'],
    ['3.12', 10, 'Impress servers'],
    ['3.13', 11, 'resource location servers'],
    ['8.2', 41, 'NIS servers'],
    ['8.3', 42, 'NTP servers'],
    ['8.5', 44, 'NetBIOS name servers'],
    ['8.6', 45, 'NetBIOS datagram distribution servers'],
    ['8.9', 48, 'X font servers'],
    ['8.10', 49, 'X display managers'],
    ['8.12', 65, 'NIS+ servers'],
    ['8.14', 69, 'SMTP servers'],
    ['8.15', 70, 'POP3 servers'],
    ['8.16', 71, 'NNTP servers'],
    ['8.17', 72, 'web servers'],
    ['8.18', 73, 'finger servers'],
    ['8.19', 74, 'IRC servers'],
    ['8.20', 75, 'StreetTalk servers'],
    ['8.21', 76, 'STDA servers'],
  ),
  ...all({ least: 8, multipleOf: 8 }, ['4.3', 21, 'policy filters'], ['5.8', 33, 'static routes']),
];

export function isAllowed(length: Length, count: number): boolean {
  if ('exactly' in length) return count === length.exactly;
  return count >= length.least && count % (length.multipleOf ?? 1) === 0;
}

/** "4 bytes", "at least 1 byte", "a multiple of 4 bytes, and not none". */
export function lengthText(length: Length): string {
  if ('exactly' in length) return bytes(length.exactly);
  return length.multipleOf === undefined
    ? `at least ${bytes(length.least)}`
    : `a multiple of ${bytes(length.multipleOf)}, and not none`;
}

function bytes(count: number): string {
  return `${count} ${count === 1 ? 'byte' : 'bytes'}`;
}
