import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';

/** Larger files are neither relays, units nor lists of ours: they are told apart by size and time, not read. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * What is at a path, in a form that can be compared and stored: "absent", "link:TARGET" for a symbolic link (never
 * followed), "sha256:HEX" for a file, "other" for everything that is neither.
 */
export type Fingerprint = string;

export const ABSENT = 'absent';
const OTHER = 'other';

export function fileFingerprint(content: string | Uint8Array): Fingerprint {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

export function linkFingerprint(target: string): Fingerprint {
  return `link:${target}`;
}

/** Whether it is a file or a link: what can be replaced by a rename. */
export function isReplaceable(print: Fingerprint): boolean {
  return print !== OTHER;
}

/** Throws as node:fs does, but for a path that is not there. */
export function fingerprintOf(path: string): Fingerprint {
  const stat = lstatOf(path);
  if (stat === undefined) return ABSENT;
  if (stat.isSymbolicLink()) return linkFingerprint(readlinkSync(path));
  if (!stat.isFile()) return OTHER;
  if (stat.size > MOST_BYTES) return `large:${stat.size}:${stat.mtimeMs}`;
  return fileFingerprint(readFileSync(path));
}

/** Undefined when nothing is there. */
export function lstatOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
