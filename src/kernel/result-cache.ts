import type { Dirent } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fromNodeError } from './errno.ts';
import { foreignButRoot } from './ownership.ts';
import { READ_WARILY } from './record-reader.ts';

/** A runtime with more attachments than that on one node has not been seen. */
const MOST_FILES = 16_384;
/** A result and its configuration are a few kilobytes. */
const MOST_BYTES = 1 << 20;

/** A file that was found: its content, or why it was not read. */
export type CacheFile =
  | { readonly name: string; readonly text: string }
  | { readonly name: string; readonly problem: string };

/**
 * The files of a container runtime's cache of CNI results (libcni: `/var/lib/cni/results`). A folder that is not there
 * is an empty one: not every runtime has run on every node. What another user could have written is not read. Rejects with SysError when it cannot be read.
 */
export async function readResultCache(folder: string): Promise<readonly CacheFile[]> {
  const files: CacheFile[] = [];
  for (const { name } of (await entriesOf(folder)).slice(0, MOST_FILES)) {
    files.push(await readOne(join(folder, name)));
  }
  return files;
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw fromNodeError(`read ${folder}`, error);
  }
}

async function readOne(path: string): Promise<CacheFile> {
  try {
    await using file = await open(path, READ_WARILY);
    const stat = await file.stat();
    const problem = stat.isFile() ? foreignButRoot(stat) : 'is not a regular file';
    if (problem !== undefined) return { name: path, problem };
    if (stat.size > MOST_BYTES) return { name: path, problem: `is larger than ${MOST_BYTES} bytes` };
    return { name: path, text: await file.readFile('utf8') };
  } catch (error) {
    return { name: path, problem: error instanceof Error ? error.message : String(error) };
  }
}
