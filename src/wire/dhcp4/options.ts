import { err, ok, type Result } from '../../base/result.ts';
import type { CodecValue } from './codec.ts';
import { opaque } from './codec-text.ts';
import { nearest } from '../../base/nearest.ts';
import type { OptionSpec } from './option-spec.ts';
import { LATER_OPTIONS } from './options-later.ts';
import { RFC2132_OPTIONS } from './options-rfc2132.ts';

/** The options of a message: code to value, in the order of the packet. Values over 255 bytes are whole here. */
export type Dhcp4Options = ReadonlyMap<number, Uint8Array>;

/** THE table of options; every type and name below is inferred from it. */
export const DHCP4_OPTIONS = { ...RFC2132_OPTIONS, ...LATER_OPTIONS } as const;

/** The canonical names: those of ISC's dhclient where it has one. */
export type OptionName = keyof typeof DHCP4_OPTIONS;

/** What the option of that name holds when it is well-formed. */
export type OptionValue<N extends OptionName> = CodecValue<(typeof DHCP4_OPTIONS)[N]['codec']>;

/** A row with its name. Codes without a row of their own get one with `known: false` and opaque bytes. */
export type OptionRow = OptionSpec & { readonly name: string; readonly known: boolean };

/** Pad and End are marks in the packet and not options (RFC 2132 3.1, 3.2). */
export const OPTION_PAD = 0;
export const OPTION_END = 255;
export const OPTION_OVERLOAD = DHCP4_OPTIONS['dhcp-option-overload'].code;

function makeRow([name, spec]: readonly [string, OptionSpec]): OptionRow {
  return { ...spec, name, known: true };
}

const ROWS: readonly OptionRow[] = Object.entries(DHCP4_OPTIONS).map(makeRow);
const BY_CODE: ReadonlyMap<number, OptionRow> = new Map(ROWS.map((row) => [row.code, row]));
const BY_NAME: ReadonlyMap<string, OptionRow> = new Map(
  ROWS.flatMap((row) => [row.name, ...(row.aliases ?? [])].map((name) => [name, row])),
);

/** All rows in the order of their codes. */
export function allOptions(): readonly OptionRow[] {
  return ROWS;
}

/** Undefined for a code without a row. */
export function optionByCode(code: number): OptionRow | undefined {
  return BY_CODE.get(code);
}

function isOptionCode(code: number): boolean {
  return Number.isInteger(code) && code > OPTION_PAD && code < OPTION_END;
}

function rowOfCode(code: number): OptionRow {
  return (
    BY_CODE.get(code) ?? { code, name: `option-${code}`, codec: opaque(), rfc: 'not assigned', known: false }
  );
}

/** The name for logs and screens; "option-224" for a code without a row. */
export function optionName(code: number): string {
  return rowOfCode(code).name;
}

/**
 * A row by its name, an alias, a decimal code, or "option-224" (the way optionName writes one). Case does not matter.
 * The error says what to write instead.
 */
export function optionByName(text: string): Result<OptionRow, string> {
  const name = text.trim().toLowerCase();
  const row = BY_NAME.get(name);
  if (row !== undefined) return ok(row);
  const digits = /^(?:option-)?(\d+)$/.exec(name)?.[1];
  if (digits !== undefined) {
    const code = Number(digits);
    if (isOptionCode(code)) return ok(rowOfCode(code));
    return err(`DHCP option code ${digits} does not exist: use a name or a code from 1 to 254`);
  }
  const near = nearest(name, [...BY_NAME.keys()]);
  const remedy = near === undefined ? 'use a name of docs/dhcp-options.md' : `did you mean "${near}"?`;
  return err(`unknown DHCP option "${text.slice(0, 64)}": ${remedy} Or give its decimal code, 1 to 254.`);
}

/** Malformed is never the same as absent: an unreadable router must not look like a network without one. */
export type OptionRead<T> =
  | { readonly kind: 'absent' }
  | { readonly kind: 'malformed'; readonly reason: string }
  /** `remark`: what of the option the value leaves out, in words. */
  | { readonly kind: 'value'; readonly value: T; readonly remark?: string };

const ABSENT = { kind: 'absent' } as const;

/** The value of one option, with the type that the table gives to its name. Never throws. */
export function readOption<N extends OptionName>(options: Dhcp4Options, name: N): OptionRead<OptionValue<N>> {
  const { code, codec }: OptionSpec = DHCP4_OPTIONS[name];
  const bytes = options.get(code);
  if (bytes === undefined) return ABSENT;
  const value = codec.decode(bytes);
  if (!value.ok) return { kind: 'malformed', reason: value.error };
  // The table ties name and codec together; TypeScript cannot follow a generic key through it.
  const read = { kind: 'value', value: value.value as OptionValue<N> } as const;
  return value.remark === undefined ? read : { ...read, remark: value.remark };
}

/** Options by name, each with a value of its own type. */
export type OptionValues = { readonly [N in OptionName]?: OptionValue<N> };

/** The container with these options, in the order in which they are written. */
export function makeOptions(values: OptionValues): Dhcp4Options {
  const options = new Map<number, Uint8Array>();
  for (const [name, value] of Object.entries(values)) {
    const { code, codec }: OptionSpec = DHCP4_OPTIONS[name as OptionName];
    options.set(code, codec.encode(value));
  }
  return options;
}
