import { lstatSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hasCode } from '../base/os-error.ts';
import { isJsonObject, parseJson } from '../base/json.ts';
import { fingerprintOf } from '../install/fingerprint.ts';
import { keptNameOf, save, undo } from '../install/place.ts';
import { LOOPBACK } from '../install/plan.ts';
import { CILIUM_ENDING } from './keeper.ts';
import { type KeptFile, readRecord, removeRecord } from './record.ts';
import type { Place } from './wishes.ts';

export type RemovalParts = {
  readonly folders: Readonly<Record<Place, string>>;
  readonly stateDir: string;
  readonly socketPath: string;
  /** Takes off what the daemon has made on the node, and puts sysctls back. */
  readonly undoHost: (
    stateDir: string,
  ) => Promise<{ readonly done: readonly string[]; readonly failed: readonly string[] }>;
  readonly say: (line: string) => void;
  readonly before?: (what: string) => void;
};

/** The network configuration alone: no pod may come while the rest goes. It can be done before the daemon has ended. */
export function removeNetworks(parts: RemovalParts): readonly string[] {
  return readRecord(parts.stateDir)
    .files.filter(({ place }) => place === 'network')
    .flatMap((file) => removeFile(parts, file));
}

/**
 * Takes from the node all that agents have put there, in the order in which nothing that is left needs what is gone: network
 * configuration, plugins, the node's side of pods, records. Interrupted at any point it can be done again. Whoever calls has
 * the daemon's locks. Gives what could not be removed; each has been said.
 */
export async function removeAll(parts: RemovalParts): Promise<readonly string[]> {
  const { stateDir, folders, undoHost, say, before = () => undefined } = parts;
  const record = readRecord(stateDir);
  const left = [
    ...removeNetworks(parts),
    ...record.files.filter(({ place }) => place === 'plugin').flatMap((file) => removeFile(parts, file)),
  ];
  for (const place of record.folders) removeIfEmpty(folders[place]);
  before('host');
  const { done, failed } = await undoHost(stateDir);
  for (const line of [...done, ...failed]) say(line);
  before('record');
  removeRecord(stateDir);
  const held = podsOnRecord(stateDir);
  if (held > 0) {
    say(
      `${held} records of pods stay in ${stateDir}: nobody renews their leases now; the next agent takes them up again`,
    );
  } else {
    before('state');
    removeContent(stateDir);
    removeRuntimeFolder(parts.socketPath);
  }
  return [...left, ...failed];
}

/** What the file system refuses keeps nothing else from going. */
function removeFile(parts: RemovalParts, file: KeptFile): readonly string[] {
  const path = join(parts.folders[file.place], file.name);
  parts.before?.(`remove ${path}`);
  try {
    return removeAt(path, parts, file);
  } catch (error) {
    if (!hasCode(error)) throw error;
    parts.say(`${path} cannot be removed: ${error.message}`);
    return [path];
  }
}

function removeAt(path: string, { say }: RemovalParts, file: KeptFile): readonly string[] {
  removeRenamed(path, file);
  const outcome = undo(path, file.ours, file.isKept ? keptNameOf(path) : undefined);
  switch (outcome) {
    case 'nothing to do':
      return [];
    case 'removed':
      say(`removed ${path}`);
      return [];
    case 'put back':
      say(`put back ${path} as it was`);
      return [];
    case 'changed since':
      if (file.place === 'network') {
        say(`${path} was edited since: out of effect now, kept as ${save(path)}`);
        return [];
      }
      if (file.name === LOOPBACK) {
        say(`${path} is somebody else's now: left as it is`);
        return [];
      }
      say(`${path} was changed since: left as it is`);
      return [path];
  }
}

/** Copies of ours that another plugin has given a name of its own. */
function removeRenamed(path: string, { ours }: KeptFile): void {
  const renamed = `${path}${CILIUM_ENDING}`;
  if (ours.includes(fingerprintOf(renamed))) rmSync(renamed, { force: true });
}

/** How many leases, and pods with a side of the node's, are on record: somebody may still live by them. */
function podsOnRecord(stateDir: string): number {
  const [leases, host] = [join(stateDir, 'leases'), join(stateDir, 'host')];
  const attachments = namesIn(host).filter((name) => {
    const json = name.endsWith('.json') ? parseJson(readFileSync(join(host, name), 'utf8')) : undefined;
    return json?.ok === true && isJsonObject(json.value) && json.value['kind'] === 'attachment';
  });
  return Math.max(namesIn(leases).filter((name) => name.endsWith('.json')).length, attachments.length);
}

/** The socket's folder is ours where it is named so; what lies in it is ours in any case. */
function removeRuntimeFolder(socketPath: string): void {
  const folder = join(socketPath, '..');
  for (const name of namesIn(folder)) {
    if (name.startsWith(basename(socketPath))) rmSync(join(folder, name), { recursive: true, force: true });
  }
  removeIfEmpty(folder);
}

/** A folder that is mounted here stays, empty. */
function removeContent(folder: string): void {
  for (const name of namesIn(folder)) rmSync(join(folder, name), { recursive: true, force: true });
  removeIfEmpty(folder);
}

function namesIn(folder: string): readonly string[] {
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(folder);
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!hasCode(error, ['ENOTEMPTY', 'ENOENT', 'ENOTDIR', 'EBUSY', 'EEXIST', 'EROFS', 'EACCES']))
      throw error;
  }
}
