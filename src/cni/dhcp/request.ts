import * as v from 'valibot';
import { isJsonObject, type Json } from '../../base/json.ts';
import { DHCP4_OPTIONS } from '../../wire/dhcp4/options.ts';
import { leaves } from '../spec/key-case.ts';
import { maybe, optionalText, readShape } from '../spec/schema.ts';
import { invalid, optionRow } from './option-row.ts';

/**
 * Asked for unless the configuration says otherwise (option 55): what a lease is made of, and no more. Without 51, 53
 * and 54, which every answer has (RFC 2131 table 3): a server that is configured to give one of them gives it a second
 * time to who asks. T1 and T2 (58, 59) may be missing there, and some servers give them only to who asks. Without 108
 * (IPv6-only preferred), which comes with `ipv6Only`: who asks for it promises to honour it (RFC 8925 3.2).
 */
export const DEFAULT_REQUEST: readonly number[] = [1, 121, 3, 6, 15, 26, 33, 58, 59, 119, 249];

/** What is asked for when the configuration takes the defaults away and names nothing: the Go plugin's figure. */
const LEAST_REQUEST: readonly number[] = [1, 3, 15, 6];

const V6_ONLY = DHCP4_OPTIONS['v6-only-preferred'].code;
/** Option 80 "MUST NOT appear in a Parameter Request List option" (RFC 4039 3). */
export const NOT_REQUESTED: ReadonlySet<number> = new Set([DHCP4_OPTIONS['rapid-commit'].code]);
/** Option 121, and Microsoft's code of the same content where 121 is not asked for. */
const CLASSLESS_ROUTES: readonly number[] = [
  DHCP4_OPTIONS['rfc3442-classless-static-routes'].code,
  DHCP4_OPTIONS['ms-classless-static-routes'].code,
];
/** What they take the place of. */
const OLD_ROUTES: ReadonlySet<number> = new Set([
  DHCP4_OPTIONS.routers.code,
  DHCP4_OPTIONS['static-routes'].code,
]);

export type OptionRequest = {
  /** Named ones, in their order. */
  readonly codes: readonly number[];
  readonly withDefaults: boolean;
};

export const NO_REQUEST: OptionRequest = { codes: [], withDefaults: true };

const entryShape = v.object({ option: optionalText, skipDefault: maybe(v.boolean()) });

export const REQUEST_KEYS = leaves(Object.keys(entryShape.entries));

/**
 * The key `request`: names, codes, and the Go plugin's `{option, skipDefault}`. Throws CniError 7 naming the key.
 */
export function readRequest(entries: readonly Json[], at: string): OptionRequest {
  const codes: number[] = [];
  let withDefaults = true;
  for (const [i, entry] of entries.entries()) {
    const key = `${at}[${i}]`;
    if (typeof entry === 'string' || typeof entry === 'number') {
      codes.push(requestable(String(entry), key));
      continue;
    }
    if (!isJsonObject(entry)) throw invalid(`${key}: must be the name or code of an option`);
    const read = readShape(entryShape, entry, key);
    if (!read.ok) throw read.error;
    const { option, skipDefault } = read.value;
    if (option !== undefined) codes.push(requestable(option, `${key}.option`));
    if (skipDefault === true) withDefaults = false;
  }
  return { codes, withDefaults };
}

/** The code of an option that may be asked for. */
function requestable(name: string, at: string): number {
  const { code, name: known } = optionRow(name, at);
  if (!NOT_REQUESTED.has(code)) return code;
  throw invalid(
    `${at}: ${known} is never asked for (RFC 4039 3): remove the entry; "rapidCommit" says whether it is offered`,
  );
}

/**
 * "The Classless Static Routes option code MUST appear in the parameter request list prior to both the Router option
 * code and the Static Routes option code" (RFC 3442): a server that is short of room fills in what comes first.
 */
function classlessFirst(codes: readonly number[]): readonly number[] {
  const classless = CLASSLESS_ROUTES.find((code) => codes.includes(code));
  const first = codes.findIndex((code) => OLD_ROUTES.has(code));
  if (classless === undefined || first < 0 || codes.indexOf(classless) < first) return codes;
  const others = codes.filter((code) => code !== classless);
  return others.toSpliced(first, 0, classless);
}

/**
 * Option 55: each code once. RFC 3442 has both 121 and 3 in it, which the defaults see to; a configuration that takes
 * them away (`skipDefault`) has the word. Throws CniError 7 where option 108 is asked for without the promise.
 */
export function parameterRequest(request: OptionRequest, ipv6Only: boolean): readonly number[] {
  const { codes, withDefaults } = request;
  if (codes.includes(V6_ONLY) && !ipv6Only) {
    throw invalid(
      'request: who asks for v6-only-preferred promises to do without IPv4 (RFC 8925 3.2): set "ipv6Only": true',
    );
  }
  const all = new Set(withDefaults ? [...codes, ...DEFAULT_REQUEST] : codes);
  const list = all.size === 0 ? LEAST_REQUEST : classlessFirst([...all]);
  return ipv6Only && !all.has(V6_ONLY) ? [...list, V6_ONLY] : list;
}
