import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** More than this is told apart by size and times alone. */
const MOST_READ = 4 * 1024 * 1024;

/**
 * Everything below some folders of `root`, a line each: type, mode, owner, inode, number of names, and for all but
 * folders modification time and content. A folder's own time changes with what is made in it and taken away again.
 */
export function snapshot(root: string, folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) => below(root, folder)).toSorted();
}

function below(root: string, path: string): readonly string[] {
  const real = join(root, path);
  const stat = lstatSync(real, { throwIfNoEntry: false });
  if (stat === undefined) return [`${path} absent`];
  const start = `${path} ${stat.mode.toString(8)} ${stat.uid}:${stat.gid}`;
  if (stat.isDirectory()) {
    return [start, ...readdirSync(real).flatMap((name) => below(root, join(path, name)))];
  }
  const about = `${start} inode ${stat.ino} names ${stat.nlink} ${stat.size} bytes of ${stat.mtime.toISOString()}`;
  if (stat.isSymbolicLink()) return [`${about} -> ${readlinkSync(real)}`];
  if (!stat.isFile() || stat.size > MOST_READ) return [about];
  return [`${about} ${createHash('sha256').update(readFileSync(real)).digest('hex')}`];
}
