import { readlinkSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** As lease/ports.ts has it. */
export type NamespaceAt =
  | { readonly kind: 'namespace'; readonly inode: string }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unseen'; readonly why: string };

const OWN_NAMESPACE = '/proc/thread-self/ns/net';
/** The folder of one process: it goes with its process, while the mount that it was in stays. */
const PROCESS_PATH = /^\/proc\/\d+(\/|$)/;
/** `/var/run/netns/NAME` may be a link to `/proc/PID/ns/net`; more links than this are somebody's mistake. */
const MOST_LINKS = 8;

let nsfs: number | undefined;

/** All namespaces are files of one file system, which has the same device number for the life of the kernel. */
export function nsfsDevice(): number {
  nsfs ??= statSync(OWN_NAMESPACE).dev;
  return nsfs;
}

/**
 * What lies at the path of a namespace, by one stat(2): cheap enough to be asked of every pod every half minute. It
 * does not tell a network namespace from one of another kind; their inodes differ. Never throws.
 */
export function namespaceAt(path: string): NamespaceAt {
  if (!path.startsWith('/') || path.includes('\0')) return unseen('the path is not absolute');
  return look(path, MOST_LINKS);
}

function look(path: string, linksLeft: number): NamespaceAt {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return missing(path, linksLeft);
    // What is left when a namespace was unmounted elsewhere, or what its mount hides when it is not shared with us.
    if (stat.dev !== nsfsDevice()) return unseen('the file there is no namespace');
    return { kind: 'namespace', inode: String(stat.ino) };
  } catch (error) {
    return unseen(error instanceof Error && 'code' in error ? String(error.code) : String(error));
  }
}

/** Gone, if it can be seen that it is: a folder that is missing too was perhaps never shared with this daemon. */
function missing(path: string, linksLeft: number): NamespaceAt {
  const target = linkTarget(path);
  if (target !== undefined) {
    return linksLeft > 0 ? look(resolve(dirname(path), target), linksLeft - 1) : unseen('too many links');
  }
  const folder = PROCESS_PATH.test(path) ? '/proc/self' : dirname(path);
  const stat = statSync(folder, { throwIfNoEntry: false });
  return stat?.isDirectory() === true ? { kind: 'gone' } : unseen(`there is no folder ${folder}`);
}

/** Undefined for what is no symbolic link, or not there. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

function unseen(why: string): NamespaceAt {
  return { kind: 'unseen', why };
}
