import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** What stat(2) says of a file or folder, as far as it tells who may write there. */
export type Owned = { readonly uid: number; readonly mode: number };

const ROOT = 0;
const PERMISSIONS = 0o777;
/** S_IWGRP | S_IWOTH */
const WRITABLE_BY_OTHERS = 0o022;
/** S_IWOTH */
const WRITABLE_BY_ALL = 0o002;
/** S_ISVTX: in such a folder only the owner of a file may rename it. */
const STICKY = 0o1000;
const USERS = '/etc/passwd';

/** Why a file or folder may hold what another user wrote; undefined when it is this user's alone. */
export function foreign(stat: Owned): string | undefined {
  const own = process.geteuid?.();
  if (stat.uid !== own) return `is owned by ${userText(stat.uid)}, not by ${own}`;
  return openToOthers(stat.mode, WRITABLE_BY_OTHERS);
}

/** The same where root's word counts as well: it may do what it likes in any case. */
export function foreignButRoot({ uid, mode }: Owned): string | undefined {
  return foreign({ uid: ownOr(uid), mode });
}

/** The same of a file by its path, links followed; undefined also where there is none. */
export function foreignFile(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  const problem = stat === undefined ? undefined : foreignButRoot(stat);
  return problem === undefined ? undefined : `${problem}; ${remedyFor(path)}`;
}

/**
 * Why somebody else could put what he likes at the place of this folder: it is his, or he may write there, or one of
 * the folders above is such, in which he could give its name to another. Throws as node:fs does.
 */
export function foreignFolder(path: string): string | undefined {
  const real = realpathSync(path);
  for (let folder = real; ; folder = dirname(folder)) {
    const { uid, mode } = statSync(folder);
    const sticky = (mode & STICKY) !== 0;
    // Above, the groups of distributions (root:staff of /usr/local) are the administrator's word.
    const mask = folder === real ? WRITABLE_BY_OTHERS : WRITABLE_BY_ALL;
    const problem = foreign({ uid: ownOr(uid), mode: 0 }) ?? (sticky ? undefined : openToOthers(mode, mask));
    if (problem !== undefined) return `${folder} ${problem}; ${remedyFor(folder)}`;
    if (folder === dirname(folder)) return undefined;
  }
}

/** What a person does about a file or a folder that others own or may write to. */
export function remedyFor(path: string): string {
  return `if what is in it is yours, give it to the daemon's user (chown ${process.geteuid?.()} ${path}; chmod go-w ${path}), else remove it or choose another place`;
}

function ownOr(uid: number): number {
  return uid === ROOT ? (process.geteuid?.() ?? uid) : uid;
}

function openToOthers(mode: number, mask: number): string | undefined {
  if ((mode & mask) === 0) return undefined;
  return `can be written by others (mode ${(mode & PERMISSIONS).toString(8).padStart(4, '0')})`;
}

/** "user 65534 (nobody)"; the number alone where the machine's own list has no name for it. */
function userText(uid: number): string {
  let lines: readonly string[];
  try {
    lines = readFileSync(USERS, 'utf8').split('\n');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return `user ${uid}`;
  }
  // passwd(5): name:password:UID:...
  const name = lines.map((line) => line.split(':')).find((fields) => fields[2] === String(uid))?.[0];
  return name === undefined ? `user ${uid}` : `user ${uid} (${name})`;
}
