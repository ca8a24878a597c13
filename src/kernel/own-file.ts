import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fromNodeError } from './errno.ts';
import { readRecords } from './record-reader.ts';

const OWNER_ONLY = 0o600;

/** The text of a small file that this user wrote, at most 256 KiB. Undefined: there is none, or it is not to be trusted. */
export async function readOwnFile(folder: string, name: string): Promise<string | undefined> {
  try {
    if (!(await readdir(folder)).includes(name)) return undefined;
  } catch (error) {
    throw fromNodeError(`read ${folder}`, error);
  }
  const [file] = await readRecords(folder, [name]);
  return file !== undefined && 'text' in file ? file.text : undefined;
}

/** Puts a small file in the place of what is there, whole or not at all, also after a power cut. Throws SysError. */
export function writeOwnFile(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  const temporary = `${path}.new`;
  try {
    rmSync(temporary, { force: true });
    writeFileSync(temporary, text, { flag: 'wx', mode: OWNER_ONLY, flush: true });
    renameSync(temporary, path);
  } catch (error) {
    throw fromNodeError(`write ${path}`, error);
  }
}
