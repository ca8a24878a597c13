import * as v from 'valibot';
import { toHex } from '../../base/bytes.ts';
import { encodeOptionText } from '../../wire/dhcp4/option-text.ts';
import type { CniArgs } from '../spec/args.ts';
import { leaves } from '../spec/key-case.ts';
import { listOf, optionalText } from '../spec/schema.ts';
import { invalid, sendableRow } from './option-row.ts';
import type { SentOptions } from './send.ts';

const provideEntry = v.object({ option: v.string(), value: optionalText, fromArg: optionalText });

/** The schema of the key `provide`. */
export const provideList = listOf(provideEntry);

export const PROVIDE_KEYS = leaves(Object.keys(provideEntry.entries));

type ProvideEntry = v.InferOutput<typeof provideList>[number];

/**
 * The Go plugin's `provide`: text or `0x` and hex digits, or the value of a key of CNI_ARGS, which wins if it is
 * there. Empty values are left out. The identifier (61) goes on the wire as it is written. `path` is that of the key.
 */
export function readProvide(
  entries: readonly ProvideEntry[],
  args: CniArgs,
  path = 'ipam.provide',
): SentOptions {
  const sent = new Map<number, string>();
  for (const [i, entry] of entries.entries()) {
    const at = `${path}[${i}]`;
    const row = sendableRow(entry.option, `${at}.option`);
    const fromArg = entry.fromArg === undefined ? undefined : args.values.get(entry.fromArg);
    const value = fromArg ?? entry.value;
    if (value === undefined || value === '') continue;
    const bytes = encodeOptionText(row, value);
    if (!bytes.ok) throw invalid(`${at}.${fromArg === undefined ? 'value' : 'fromArg'}: ${bytes.error}`);
    sent.set(row.code, toHex(bytes.value));
  }
  return sent;
}
