import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hasCode } from '../base/os-error.ts';
import { ABSENT, type Fingerprint, fingerprintOf, lstatOf } from './fingerprint.ts';

/** What install puts at a path: a file with its content and mode, or a symbolic link. */
export type Content =
  | { readonly kind: 'file'; readonly bytes: string | Uint8Array; readonly mode: number }
  | { readonly kind: 'link'; readonly target: string };

/** A filesystem without hard links says one of these (link(2)). */
const NO_HARD_LINKS: readonly string[] = ['EPERM', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'];
/** Earlier saved copies are never overwritten; more than these are not expected. */
const MOST_SAVED = 1000;

/** In the same folder, so that a rename can exchange them. A dot: neither runtimes nor systemd read such names. */
function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.leasehold-new`);
}

/** Where what was replaced waits for uninstall. Its ending is none that a runtime or systemd would load. */
export function keptNameOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.before-leasehold`);
}

/** What a crash may have left beside the path. */
export function removeTemporary(path: string): void {
  rmSync(temporaryOf(path), { recursive: true, force: true });
}

/**
 * Puts the content at the path by a rename: what was there is not written to, nor what it links to, however many names
 * that inode has, and nobody sees a half-written file.
 */
export function put(path: string, content: Content): void {
  const temporary = temporaryOf(path);
  removeTemporary(path);
  try {
    if (content.kind === 'link') symlinkSync(content.target, temporary);
    else writeNewFile(temporary, content.bytes, content.mode);
    renameSync(temporary, path);
  } catch (error) {
    // Half of it would keep a full file system full.
    removeTemporary(path);
    throw error;
  }
  syncFolder(dirname(path));
}

/** `put` where nothing is; false where something is, or has come in this moment: that stays. */
export function putIfAbsent(path: string, content: Extract<Content, { kind: 'file' }>): boolean {
  const temporary = temporaryOf(path);
  removeTemporary(path);
  writeNewFile(temporary, content.bytes, content.mode);
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (hasCode(error, ['EEXIST'])) return false;
    if (!hasCode(error, NO_HARD_LINKS)) throw error;
    if (lstatOf(path) !== undefined) return false;
    renameSync(temporary, path);
  } finally {
    removeTemporary(path);
  }
  syncFolder(dirname(path));
  return true;
}

function writeNewFile(path: string, bytes: string | Uint8Array, mode: number): void {
  // wx: O_EXCL follows no link.
  const fd = openSync(path, 'wx', mode);
  try {
    writeFileSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  // The umask does not count.
  chmodSync(path, mode);
}

/** A rename is on the disk when its folder is. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Gives what is at `path` the further name `kept`, and leaves it at `path` until something is renamed over it: at no
 * moment is there no plugin. The inode stays what it is, with owner, mode, times, attributes; a link stays a link.
 * Where there are no hard links it is moved.
 */
export function keep(path: string, kept: string): void {
  if (sameInode(path, kept)) return;
  const temporary = `${kept}-new`;
  rmSync(temporary, { force: true });
  try {
    linkSync(path, temporary);
  } catch (error) {
    if (!hasCode(error, NO_HARD_LINKS)) throw error;
    renameSync(path, kept);
    return;
  }
  renameSync(temporary, kept);
}

export type Outcome = 'nothing to do' | 'removed' | 'put back' | 'changed since';

/**
 * Undoes `put`, and `keep` if `kept` is given, from whatever state a crash has left. What is there and is none of
 * `ours` is left alone.
 */
export function undo(path: string, ours: readonly Fingerprint[], kept: string | undefined): Outcome {
  removeTemporary(path);
  const now = fingerprintOf(path);
  const isOurs = ours.includes(now);
  if (kept !== undefined) {
    rmSync(`${kept}-new`, { force: true });
    if (lstatOf(kept) !== undefined) {
      if (sameInode(path, kept)) {
        // rename(2) does nothing when both names are one inode.
        rmSync(kept);
        return 'nothing to do';
      }
      if (!isOurs && now !== ABSENT) return 'changed since';
      renameSync(kept, path);
      syncFolder(dirname(path));
      return 'put back';
    }
  }
  if (isOurs) {
    rmSync(path);
    return 'removed';
  }
  // Nothing is kept: it was not replaced yet, or is back already.
  return now === ABSENT || kept !== undefined ? 'nothing to do' : 'changed since';
}

/** Moves what a person has edited out of effect, to a name that nothing loads; returns that name. */
export function save(path: string): string {
  for (let count = 1; count <= MOST_SAVED; count++) {
    const name = `${path}.saved${count === 1 ? '' : `.${count}`}`;
    if (lstatOf(name) !== undefined) continue;
    renameSync(path, name);
    return name;
  }
  throw new Error(`${path}: there are ${MOST_SAVED} saved copies beside it: remove some`);
}

function sameInode(a: string, b: string): boolean {
  const [one, other] = [lstatOf(a), lstatOf(b)];
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}
