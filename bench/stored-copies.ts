import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invariant } from '../src/base/invariant.ts';
import { isJsonObject, parseJson } from '../src/base/json.ts';
import { recordFileName } from '../src/kernel/lease-files.ts';
import { keyText } from '../src/lease/record.ts';

const SUFFIX = '.json';
const OWNER_ONLY = 0o600;

/** A stored record as that of the same interface on another network: nothing but the network's name differs. */
export function copyRecord(text: string, network: string): { readonly name: string; readonly text: string } {
  const json = parseJson(text);
  invariant(json.ok && isJsonObject(json.value), 'a record is a JSON object');
  const { key } = json.value;
  invariant(key !== undefined && isJsonObject(key), 'a record has a key');
  const { containerId, ifname } = key;
  invariant(typeof containerId === 'string' && typeof ifname === 'string', 'a key names its attachment');
  return {
    name: recordFileName(keyText({ containerId, network, ifname })),
    text: JSON.stringify({ ...json.value, key: { containerId, network, ifname } }),
  };
}

/** How many records there are with the copies, and what removes the copies (the daemon must not run then). */
export type Multiplied = { readonly count: number; readonly remove: () => Promise<void> };

/**
 * Makes `times` records of each that is stored in the folder. Each names a real namespace, link and address, so that
 * a daemon that takes them up looks at the kernel as often as for so many pods.
 */
export async function multiplyRecords(folder: string, times: number): Promise<Multiplied> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(SUFFIX));
  const made: string[] = [];
  for (const name of names) {
    const text = await readFile(join(folder, name), 'utf8');
    for (let copy = 1; copy < times; copy++) {
      const record = copyRecord(text, `bench-copy-${copy}`);
      const path = join(folder, record.name);
      await writeFile(path, record.text, { mode: OWNER_ONLY });
      made.push(path);
    }
  }
  const remove = async (): Promise<void> => {
    for (const path of made) await rm(path, { force: true });
  };
  return { count: names.length + made.length, remove };
}
