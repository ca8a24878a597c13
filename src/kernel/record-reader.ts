import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { foreign } from './ownership.ts';
import { Slices } from './slices.ts';

/** For open(2) where somebody else may have put what lies there: no link is followed, no pipe waited for. */
export const READ_WARILY =
  constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
/** A record is a few kilobytes; what is larger was not written by us. */
const MOST_BYTES = 256 * 1024;

/** A file that was found at start: its content, or why it is not taken for a record. */
export type StoredFile =
  | { readonly name: string; readonly text: string }
  | { readonly name: string; readonly problem: string };

/**
 * Reads files one after another on the loop, in slices: a turn through the thread pool takes longer than reading a
 * small file. One that somebody else could have written is not read.
 */
export async function readRecords(folder: string, names: readonly string[]): Promise<readonly StoredFile[]> {
  const buffer = Buffer.allocUnsafe(MOST_BYTES);
  const files: StoredFile[] = [];
  const slices = new Slices();
  for (const name of names) {
    await slices.pause();
    files.push(readRecord(folder, name, buffer));
  }
  return files;
}

function readRecord(folder: string, name: string, buffer: Buffer): StoredFile {
  let fd: number;
  try {
    fd = openSync(join(folder, name), READ_WARILY);
  } catch (error) {
    return { name, problem: reasonOf(error) };
  }
  try {
    const stat = fstatSync(fd);
    const problem = stat.isFile() ? foreign(stat) : 'is not a regular file';
    if (problem !== undefined) return { name, problem };
    if (stat.size > MOST_BYTES) return { name, problem: `is larger than ${MOST_BYTES} bytes` };
    return { name, text: readAll(fd, buffer) };
  } catch (error) {
    return { name, problem: reasonOf(error) };
  } finally {
    closeSync(fd);
  }
}

function readAll(fd: number, buffer: Buffer): string {
  let length = 0;
  while (length < buffer.length) {
    const read = readSync(fd, buffer, length, buffer.length - length, length);
    if (read === 0) break;
    length += read;
  }
  return buffer.toString('utf8', 0, length);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!('code' in error)) return error.message;
  return error.code === 'ELOOP' ? 'is a symbolic link' : error.message;
}
