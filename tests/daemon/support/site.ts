import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseJson, type Json } from '../../../src/base/json.ts';
import { getOverSocket, startDaemon } from '../../../src/lab/daemon.ts';
import { signalProcess, type LongProcess } from '../../../src/lab/long-process.ts';
import { namespaceName, uniquePrefix } from '../../../src/lab/names.ts';
import { Namespace } from '../../../src/lab/namespace.ts';
import type { Outcome } from '../../../src/lab/process.ts';
import { Resources } from '../../../src/lab/resources.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { ROOT } from '../../support/leasehold.ts';

export const LEASEHOLD = join(ROOT, 'bin', 'leasehold');

/** Where a daemon runs: a namespace, its paths, and what has to go at the end. */
export type Site = {
  readonly namespace: Namespace;
  readonly folder: string;
  readonly socket: string;
  readonly stateDir: string;
  readonly resources: Resources;
};

/** A namespace with nothing but a loopback interface, and a private folder; removed when the test ends. */
export async function emptySite(t: {
  readonly after: (cleanup: () => Promise<void>) => void;
}): Promise<Site> {
  const resources = new Resources();
  t.after(async () => await resources[Symbol.asyncDispose]());
  const prefix = uniquePrefix();
  const folder = await mkdtemp(join(tmpdir(), `${prefix}-daemon-`));
  resources.add({ kind: 'folder', path: folder });
  const namespace = await Namespace.create(namespaceName(prefix, 'daemon'), resources);
  return { namespace, ...pathsIn(folder), resources };
}

export function pathsIn(folder: string): Pick<Site, 'folder' | 'socket' | 'stateDir'> {
  return { folder, socket: join(folder, 'run', 'd.sock'), stateDir: join(folder, 'state') };
}

export type DaemonStart = {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A program that executes the daemon in surroundings of its own. */
  readonly wrap?: readonly string[];
};

export function pathArguments(site: Pick<Site, 'socket' | 'stateDir'>): readonly string[] {
  return ['--socket', site.socket, '--state-dir', site.stateDir];
}

function command(site: Site, { args = [], wrap = [] }: DaemonStart): readonly string[] {
  return [...wrap, LEASEHOLD, 'daemon', ...pathArguments(site), ...args];
}

export function logFileOf(site: Site): string {
  return join(site.folder, 'daemon.log');
}

/** Starts the daemon there and waits until it is ready. */
export async function startAt(site: Site, start: DaemonStart = {}): Promise<LongProcess> {
  return await startDaemon(site.namespace, {
    command: command(site, start),
    socket: site.socket,
    logFile: logFileOf(site),
    name: 'leasehold daemon',
    resources: site.resources,
    ...(start.env === undefined ? {} : { env: start.env }),
  });
}

/** Starts the daemon there and waits until it has ended by itself. */
export async function runAt(site: Site, start: DaemonStart = {}): Promise<Outcome> {
  return await site.namespace.runToEnd(command(site, start), { timeoutMs: 20_000 });
}

/** One line on stderr that matches, nothing on stdout, no stack, this exit status. */
export function assertRefused(outcome: Outcome, status: number, message: RegExp): void {
  const [line = '', ...rest] = outcome.stderr.trimEnd().split('\n');
  assert.match(line, message);
  assert.match(line, /^leasehold: /);
  assert.deepEqual(
    { status: outcome.status, stdout: outcome.stdout, stopped: outcome.stopped },
    { status, stdout: '', stopped: undefined },
  );
  assert.ok(!/^\s+at /m.test(outcome.stderr), outcome.stderr);
  // A mistake on the command line is followed by how the command is used.
  if (status === 1) assert.deepEqual(rest, []);
}

export async function endBy(daemon: LongProcess, signal: NodeJS.Signals): Promise<string> {
  signalProcess(daemon, signal);
  return await waitFor('the daemon to end', () => daemon.ended());
}

/** GET of a path: its status and its JSON; status 0 when nobody listens. */
export async function get(
  socket: string,
  path: string,
): Promise<{ readonly status: number; readonly json: Json }> {
  const answer = await getOverSocket(socket, path);
  if (answer === undefined) return { status: 0, json: null };
  const json = parseJson(answer.body);
  assert.ok(json.ok, answer.body);
  return { status: answer.status, json: json.value };
}

/** The lines of the daemon's log, each one JSON object. */
export function logOf(site: Site): readonly Json[] {
  const lines = readFileSync(logFileOf(site), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const json = parseJson(line);
    assert.ok(json.ok, line);
    return json.value;
  });
}

export function logText(site: Site): string {
  return readFileSync(logFileOf(site), 'utf8');
}

export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export async function storedLeases(stateDir: string): Promise<readonly string[]> {
  return await readdir(join(stateDir, 'leases'));
}
