import { optionByName, type OptionRow } from '../../wire/dhcp4/options.ts';
import { CniError } from '../spec/errors.ts';

/** The exchange sets these itself. */
export const OWN_OPTIONS: ReadonlySet<number> = new Set([50, 52, 53, 54, 55, 57, 80, 145]);

export const CLIENT_IDENTIFIER = 61;

/** A row by name or code; throws CniError 7, which names the key and the nearest name. */
export function optionRow(name: string, at: string): OptionRow {
  const row = optionByName(name);
  if (!row.ok) throw invalid(`${at}: ${row.error}`);
  return row.value;
}

/** A row that configuration may give a value to. */
export function sendableRow(name: string, at: string): OptionRow {
  const row = optionRow(name, at);
  if (!OWN_OPTIONS.has(row.code)) return row;
  throw invalid(`${at}: ${row.name} is set by the exchange itself: remove the entry`);
}

export function invalid(text: string): CniError {
  return new CniError('invalid-config', text);
}
