import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { isErrno } from './errno.ts';
import type { Resource } from './resources.ts';

/** A lab that is up is found again by this folder: root's own, and gone after a reboot, as the lab is. */
export const RUN_ROOT = '/run';
const FOLDER_PREFIX = 'leasehold-lab-';
const STATE_FILE = 'lab.json';
const ID_BYTES = 2;
const ID_TRIES = 20;

/** Something made on the machine, as state files have it. */
export const resourceSchema = v.variant('kind', [
  v.object({ kind: v.literal('namespace'), name: v.string() }),
  v.object({
    kind: v.literal('process'),
    id: v.object({ pid: v.pipe(v.number(), v.integer(), v.minValue(2)), startedAt: v.string() }),
    name: v.string(),
  }),
  v.object({ kind: v.literal('folder'), path: v.string() }),
]);

const stateSchema = v.object({
  schema: v.literal(1),
  id: v.string(),
  /** Unix time in milliseconds. */
  createdAt: v.number(),
  /** Names of namespaces start with it. */
  prefix: v.string(),
  binDir: v.string(),
  routerAddress: v.string(),
  /** What was made, in order: also what is left to remove when the lab's process was killed. */
  resources: v.array(resourceSchema),
});

export type LabState = v.InferOutput<typeof stateSchema>;

const podSchema = v.object({
  name: v.string(),
  containerId: v.string(),
  /** How long its ADD took, milliseconds. */
  addMs: v.optional(v.number()),
});

/** What is kept of a pod, in a file of its own: two commands may attach at once. */
export type PodState = v.InferOutput<typeof podSchema>;

/** The places in a lab's folder. */
export type LabPaths = {
  readonly folder: string;
  readonly socket: string;
  readonly daemonState: string;
  readonly daemonConfig: string;
  readonly daemonLog: string;
  /** What runtimes call /etc/cni/net.d. */
  readonly netD: string;
  readonly conflist: string;
  readonly cache: string;
  readonly pods: string;
  /** One file per fault that was made by `lab break`. */
  readonly breaks: string;
  readonly lan: string;
  readonly leaseFile: string;
  readonly resolvConf: string;
};

export function pathsOf(folder: string): LabPaths {
  return {
    folder,
    socket: join(folder, 'leasehold.sock'),
    daemonState: join(folder, 'state'),
    daemonConfig: join(folder, 'daemon.json'),
    daemonLog: join(folder, 'daemon.log'),
    netD: join(folder, 'net.d'),
    conflist: join(folder, 'net.d', '10-lan.conflist'),
    cache: join(folder, 'cni-cache'),
    pods: join(folder, 'pods'),
    breaks: join(folder, 'breaks'),
    lan: join(folder, 'lan'),
    leaseFile: join(folder, 'lan', 'router', 'dnsmasq.leases'),
    resolvConf: join(folder, 'resolv.conf'),
  };
}

export function folderOf(id: string): string {
  return join(RUN_ROOT, `${FOLDER_PREFIX}${id}`);
}

/** Makes the folder of a new lab, with an id that no other has. */
export async function newLabFolder(): Promise<{ readonly id: string; readonly paths: LabPaths }> {
  for (let tries = 0; tries < ID_TRIES; tries++) {
    const id = randomBytes(ID_BYTES).toString('hex');
    const paths = pathsOf(folderOf(id));
    try {
      await mkdir(paths.folder, { mode: 0o700 });
    } catch (error) {
      if (isErrno(error, 'EEXIST')) continue;
      throw error;
    }
    const inside = [paths.netD, paths.pods, paths.breaks, paths.lan, paths.daemonState];
    await Promise.all(inside.map((path) => mkdir(path, { mode: 0o700 })));
    return { id, paths };
  }
  throw new Error(`no free name for a lab in ${RUN_ROOT}; take some down with "leasehold lab down"`);
}

/** Written whole or not at all, and before what it names is used: a killed lab can still be taken down. */
export function writeJson(path: string, value: unknown): void {
  writeFileSync(`${path}.tmp`, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

export function writeState(
  paths: LabPaths,
  state: Omit<LabState, 'resources'>,
  resources: readonly Resource[],
): void {
  writeJson(join(paths.folder, STATE_FILE), { ...state, resources });
}

export function writePod(paths: LabPaths, pod: PodState): void {
  writeJson(join(paths.pods, `${pod.name}.json`), pod);
}

/** Names in a folder, sorted; none when there is no folder. */
export function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Undefined when there is no such file; throws when it is not what it ought to be. */
export function readJson<S extends v.GenericSchema>(schema: S, path: string): v.InferOutput<S> | undefined {
  try {
    return v.parse(schema, JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw new Error(`${path} is not readable: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

export function readPods(paths: LabPaths): readonly PodState[] {
  return entries(paths.pods)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => readJson(podSchema, join(paths.pods, name)) ?? []);
}

/** Labs that are up, the newest first. */
export function listLabs(): readonly LabState[] {
  return entries(RUN_ROOT)
    .filter((name) => name.startsWith(FOLDER_PREFIX))
    .flatMap((name) => readJson(stateSchema, join(RUN_ROOT, name, STATE_FILE)) ?? [])
    .toSorted((a, b) => b.createdAt - a.createdAt);
}
