import * as v from 'valibot';
import { toHex, utf8 } from '../../base/bytes.ts';
import { parseCidr } from '../../base/cidr.ts';
import { type Ipv4, isHostIpv4, parseIpv4 } from '../../base/ipv4.ts';
import type { Json, JsonObject } from '../../base/json.ts';
import { keyText, type LeaseKey } from '../../lease/record.ts';
import type { Dhcp4Config } from '../../protocol/dhcp4/state.ts';
import { encodeOptionText } from '../../wire/dhcp4/option-text.ts';
import { optionByName, type OptionRow } from '../../wire/dhcp4/options.ts';
import type { DhcpSettings } from '../context.ts';
import type { CniArgs } from '../spec/args.ts';
import type { NetConf } from '../spec/conf.ts';
import { CniError, quoted } from '../spec/errors.ts';
import { listOf, maybe, objectAt, optionalText, readShape, uint32 } from '../spec/schema.ts';

/**
 * Asked for unless the configuration says otherwise (option 55): what a pod can use. Without 108 (IPv6-only
 * preferred): who asks for it promises to honour it (RFC 8925 3.2).
 */
export const DEFAULT_REQUEST: readonly number[] = [
  1, 3, 6, 12, 15, 26, 33, 42, 51, 54, 58, 59, 119, 121, 249,
];

/** What is asked for when the configuration takes the defaults away and names nothing: the Go plugin's figure. */
const LEAST_REQUEST: readonly number[] = [1, 3, 15, 6];

const CLIENT_IDENTIFIER = 61;
/** Type 0 of RFC 2132 9.14: the identifier is no hardware address. */
const IDENTIFIER_TYPE_TEXT = 0;
/** With the type byte 255, the most that an option holds. */
const MAX_IDENTIFIER_TEXT = 254;
/** What is left of an Ethernet frame beside the fixed fields and the options of the exchange itself. */
const MAX_PROVIDED_BYTES = 1000;
/** The exchange sets these itself. */
const OWN_OPTIONS: ReadonlySet<number> = new Set([50, 52, 53, 54, 55, 57, 80]);

const ipamShape = v.object({
  provide: listOf(v.object({ option: v.string(), value: optionalText, fromArg: optionalText })),
  request: listOf(v.object({ option: optionalText, skipDefault: maybe(v.boolean()) })),
  priority: maybe(uint32),
  daemonSocketPath: optionalText,
});

export type DhcpConf = {
  readonly client: Omit<Dhcp4Config, 'chaddr'>;
  /** Metric of every route in the result; 0: none. */
  readonly priority: number;
};

/**
 * The `ipam` section of type `dhcp`, every key of the Go plugin, as what the client needs. Option names are those of
 * the DHCP world or decimal codes; values are text or `0x` and hex digits. Throws CniError 7 naming the key.
 */
export function readDhcpConf(conf: NetConf, args: CniArgs, key: LeaseKey, settings: DhcpSettings): DhcpConf {
  const read = readShape(ipamShape, conf.ipam ?? {}, 'ipam');
  if (!read.ok) throw read.error;
  const { provide, request, priority } = read.value;
  const send: Record<number, string> = {};
  for (const [i, entry] of provide.entries()) {
    const row = optionRow(entry.option, `ipam.provide[${i}].option`);
    const fromArg = entry.fromArg === undefined ? undefined : args.values.get(entry.fromArg);
    const value = fromArg ?? entry.value;
    if (value === undefined || value === '') continue;
    if (OWN_OPTIONS.has(row.code)) {
      throw invalid(`ipam.provide[${i}].option: ${row.name} is set by the exchange itself: remove the entry`);
    }
    const bytes = encodeOptionText(row, value);
    const field = fromArg === undefined ? 'value' : 'fromArg';
    if (!bytes.ok) throw invalid(`ipam.provide[${i}].${field}: ${bytes.error}`);
    send[row.code] = toHex(bytes.value);
  }
  const total = Object.values(send).reduce((sum, hex) => sum + hex.length / 2, 0);
  if (total > MAX_PROVIDED_BYTES) {
    throw invalid(
      `ipam.provide: ${total} bytes of options do not fit a packet; ${MAX_PROVIDED_BYTES} is the most`,
    );
  }
  const { [CLIENT_IDENTIFIER]: ownIdentifier, ...others } = send;
  return {
    client: {
      clientId: ownIdentifier ?? defaultClientId(key),
      requestedAddress: wantedAddress(conf, args),
      parameterRequest: parameterRequest(request),
      send: others,
      ...settings,
    },
    priority: priority ?? 0,
  };
}

/** As the Go plugin forms it, so that a node can change over without its pods changing identity at the server. */
function defaultClientId(key: LeaseKey): string {
  const text = utf8(keyText(key)).subarray(0, MAX_IDENTIFIER_TEXT);
  return toHex(Uint8Array.of(IDENTIFIER_TYPE_TEXT, ...text));
}

function parameterRequest(
  entries: readonly { readonly option?: string | undefined; readonly skipDefault?: boolean | undefined }[],
): readonly number[] {
  const named = entries.flatMap(({ option }, i) =>
    option === undefined ? [] : [optionRow(option, `ipam.request[${i}].option`).code],
  );
  const defaults = entries.some(({ skipDefault }) => skipDefault === true) ? [] : DEFAULT_REQUEST;
  const all = [...new Set([...named, ...defaults])];
  return all.length === 0 ? LEAST_REQUEST : all;
}

function optionRow(name: string, at: string): OptionRow {
  const row = optionByName(name);
  if (!row.ok) throw invalid(`${at}: ${row.error}`);
  return row.value;
}

/** `runtimeConfig.ips` (capability), then `args.cni.ips`, then CNI_ARGS `IP`: the first IPv4 address. */
function wantedAddress(conf: NetConf, args: CniArgs): Ipv4 | undefined {
  const lists: readonly (readonly [string, Json | undefined])[] = [
    ['runtimeConfig.ips', conf.runtimeConfig['ips']],
    ['args.cni.ips', cniArgs(conf)?.['ips']],
    ['CNI_ARGS IP', args.values.get('IP')?.split(',')],
  ];
  for (const [at, list] of lists) {
    if (list === undefined || list === null) continue;
    if (!Array.isArray(list)) throw invalid(`${at}: must be a list of addresses`);
    const first = list.map((entry: Json) => addressIn(entry, at)).find((address) => address !== undefined);
    if (first !== undefined) return first;
  }
  return undefined;
}

/** Undefined for IPv6, which is not this client's. */
function addressIn(entry: Json, at: string): Ipv4 | undefined {
  const text = typeof entry === 'string' ? entry.trim() : '';
  if (text.includes(':')) return undefined;
  const address = parseIpv4(parseCidr(text)?.address ?? text);
  if (address === undefined || !isHostIpv4(address)) {
    throw invalid(`${at}: ${quoted(text)} is not an address that an interface can have ("192.168.2.50")`);
  }
  return address;
}

function cniArgs(conf: NetConf): JsonObject | undefined {
  return objectAt(conf.args, 'cni');
}

function invalid(text: string): CniError {
  return new CniError('invalid-config', text);
}
