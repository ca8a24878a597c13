import { readdirSync, rmdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hasCode } from '../base/os-error.ts';
import { CONFLIST_NAME } from './conflists.ts';
import { beneath } from './beneath.ts';
import { checkedPath, inside } from './host-path.ts';
import { type Entry, type Item, type Manifest, removeManifest, writeManifest } from './manifest.ts';
import { keptNameOf, save, undo } from './place.ts';
import { LOOPBACK } from './plan.ts';
import { forgetService, stopService, type ServiceManager } from './service.ts';
import { temporaryTreeOf } from './tree.ts';
import { UNIT } from './unit.ts';

/**
 * Takes off what the daemon has made on the host (shims, routes, rules, tables), and puts sysctls back. Gives what was done
 * and what could not be, a line each. Rejects with an Error while a daemon runs.
 */
export type UndoHost = (
  stateDir: string,
) => Promise<{ readonly done: readonly string[]; readonly failed: readonly string[] }>;

export type Uninstalling = {
  readonly base: string;
  readonly stateDir: string;
  readonly manifest: Manifest;
  readonly service: ServiceManager | undefined;
  readonly undoHost: UndoHost | undefined;
  readonly say: (line: string) => void;
  readonly before?: (what: string) => void;
};

/**
 * Undoes an install, also one that stopped half-way; stopped itself, it can be run again. Gives what was left:
 * paths that somebody has changed since, and what could not be taken off the host. Each has been said.
 */
export async function uninstall(options: Uninstalling): Promise<readonly string[]> {
  const { base, stateDir, manifest, service, undoHost, say, before = () => undefined } = options;
  before('manifest');
  writeManifest(base, stateDir, { ...manifest, phase: 'removing' });
  const entries = manifest.entries.toReversed();
  const left: string[] = [];
  const remove = (list: readonly Entry[]): void => {
    for (const entry of list) {
      before(entry.path);
      if (!removeEntry(base, entry, manifest.phase !== 'installing', say)) left.push(entry.path);
    }
  };
  // The network first: no pod may come while the rest goes.
  remove(entries.filter(isNetwork));
  const hasUnit = entries.some(({ path }) => basename(path) === UNIT);
  if (service !== undefined && hasUnit) {
    before('service');
    await stopService(service);
    say('the daemon is stopped');
  }
  if (undoHost !== undefined) {
    before('host');
    const { done, failed } = await undoHost(stateDir);
    for (const line of [...done, ...failed]) say(line);
    left.push(...failed);
  }
  const items = entries.filter((entry) => entry.kind === 'item' && !isNetwork(entry));
  remove(items);
  if (service !== undefined && hasUnit) await forgetService(service);
  remove(entries.filter(({ kind }) => kind === 'tree'));
  const folders = entries.filter(({ kind }) => kind === 'folder');
  const holdsManifest = ({ path }: Entry): boolean => `${stateDir}/`.startsWith(`${path}/`);
  remove(folders.filter((entry) => !holdsManifest(entry)));
  before('end');
  removeManifest(stateDir);
  for (const { path } of folders.filter(holdsManifest)) removeEmptyFolder(checkedPath(base, path));
  return left;
}

function isNetwork({ path }: Entry): boolean {
  return basename(path) === CONFLIST_NAME;
}

/** False for what was left. Its place is looked up now: what was put back before it may be a link. */
function removeEntry(base: string, entry: Entry, complete: boolean, say: (line: string) => void): boolean {
  const path = checkedPath(base, entry.path);
  switch (entry.kind) {
    case 'folder':
      removeEmptyFolder(path);
      return true;
    case 'tree':
      rmSync(temporaryTreeOf(path), { recursive: true, force: true });
      rmSync(path, { recursive: true, force: true });
      return true;
    case 'item':
      return removeItem(
        { ...entry, path, kept: entry.kept === null ? null : keptNameOf(path) },
        complete,
        say,
      );
  }
}

function removeItem({ path, ours, kept }: Item, complete: boolean, say: (line: string) => void): boolean {
  const outcome = undo(path, ours, kept ?? undefined);
  switch (outcome) {
    case 'nothing to do':
      return true;
    case 'removed':
      say(`removed ${path}`);
      return true;
    case 'put back':
      say(`put back ${path} as it was`);
      return true;
    case 'changed since': {
      // An install that was interrupted had not come to this path: it is as it was.
      if (!complete && kept === null) return true;
      const name = basename(path);
      if (name === CONFLIST_NAME || name === UNIT) {
        say(`${path} was edited since: out of effect now, kept as ${save(path)}`);
        return true;
      }
      if (name === LOOPBACK) {
        say(`${path} is somebody else's now: left as it is`);
        return true;
      }
      say(
        kept === null
          ? `${path} was changed since: left as it is`
          : `${path} was changed since: left as it is; what was there before install is ${kept}`,
      );
      return false;
    }
  }
}

function removeEmptyFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!hasCode(error, ['ENOTEMPTY', 'ENOENT', 'ENOTDIR', 'EBUSY', 'EEXIST'])) throw error;
  }
}

/** How many leases the daemon has on record: for those pods nobody will renew. */
export function leasesHeld(base: string, stateDir: string): number {
  const folder = beneath(base, inside(base, join(stateDir, 'leases')), 'followed');
  if (!folder.ok) return 0;
  try {
    return readdirSync(folder.value).filter((name) => name.endsWith('.json')).length;
  } catch (error) {
    if (hasCode(error, ['ENOENT', 'ENOTDIR'])) return 0;
    throw error;
  }
}
