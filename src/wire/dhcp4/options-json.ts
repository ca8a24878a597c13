import { fromHex, toHex } from '../../base/bytes.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { optionByName, type Dhcp4Options } from './options.ts';

/** Options as they stand in a JSON file: decimal code to lower-case hex. */
export type OptionsRecord = Readonly<Record<string, string>>;

export function optionsToRecord(options: Dhcp4Options): OptionsRecord {
  return Object.fromEntries([...options].map(([code, value]) => [String(code), toHex(value)]));
}

/** The inverse, for a file that somebody may have edited: the error names the entry. */
export function optionsFromRecord(record: OptionsRecord): Result<Dhcp4Options, string> {
  const options = new Map<number, Uint8Array>();
  for (const [key, hex] of Object.entries(record)) {
    const row = optionByName(key);
    if (!row.ok) return row;
    const value = fromHex(hex);
    if (value === undefined) return err(`option ${key}: the value is not hex`);
    options.set(row.value.code, value);
  }
  return ok(options);
}
