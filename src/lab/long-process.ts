import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isErrno } from './errno.ts';
import { CommandError, systemEnv } from './process.ts';
import { waitFor } from './wait.ts';

const STOP_DEADLINE_MS = 5000;
const LOG_TAIL_CHARS = 1500;
/** proc_pid_stat(5): field 22, counted after the command name, which may hold spaces and ends with the last ')'. */
const START_TIME_FIELD = 22;
const THREADS_FIELD = 20;
const FIELDS_BEFORE_STATE = 3;
/** Stands for the start time of a process that nobody has seen. */
const ENDED_AT_ONCE = 'ended at once';

/** A process by number and start time (clock ticks since boot): a number alone may by then be somebody else's. */
export type ProcessId = { readonly pid: number; readonly startedAt: string };

/**
 * Undefined when there is no such process, or only its exit status is left (a zombie). One of several threads may be that
 * while others are still on their way out of the kernel, with all that the process has open: its sockets, its locks.
 */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const isOver = fields[0] === 'Z' && Number(fields[THREADS_FIELD - FIELDS_BEFORE_STATE]) <= 1;
    return isOver ? undefined : fields[START_TIME_FIELD - FIELDS_BEFORE_STATE];
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

/** The process that has this number now. */
export function processIdOf(pid: number): ProcessId {
  return { pid, startedAt: startTimeOf(pid) ?? ENDED_AT_ONCE };
}

export function isRunning(id: ProcessId): boolean {
  return startTimeOf(id.pid) === id.startedAt;
}

/** Sends the signal if the process is still the one meant. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): void {
  if (!isRunning(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

/** SIGTERM, then SIGKILL when the deadline has passed. Gone already is success. */
export async function stopProcess(id: ProcessId, deadlineMs = STOP_DEADLINE_MS): Promise<void> {
  signalProcess(id, 'SIGTERM');
  const end = performance.now() + deadlineMs;
  await waitFor(
    `process ${id.pid} to end`,
    () => {
      if (performance.now() > end) signalProcess(id, 'SIGKILL');
      return !isRunning(id);
    },
    { deadlineMs: deadlineMs + STOP_DEADLINE_MS },
  );
}

/** SIGKILL, and waits until it is gone. Gone already is success. */
export async function killProcess(id: ProcessId): Promise<void> {
  signalProcess(id, 'SIGKILL');
  await waitFor(`process ${id.pid} to be killed`, () => !isRunning(id), { deadlineMs: STOP_DEADLINE_MS });
}

export type LongProcess = ProcessId & {
  readonly name: string;
  readonly logFile: string;
  /** Undefined while it runs, then how it ended ("exit status 1", "SIGKILL"). */
  readonly ended: () => string | undefined;
};

export type StartOptions = {
  readonly name: string;
  /** Both its outputs are appended here. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string;
};

/**
 * Starts a process that outlives the call, in a session of its own: a terminal's Ctrl-C must not reach it before its
 * owner takes things down in order. The owner ends it with stopProcess.
 */
export async function startProcess(command: readonly string[], options: StartOptions): Promise<LongProcess> {
  const [file = '', ...args] = command;
  const log = openSync(options.logFile, 'a', 0o600);
  const { promise: spawned, resolve, reject } = Promise.withResolvers<void>();
  try {
    const child = spawn(file, args, {
      env: systemEnv(options.env),
      cwd: options.cwd ?? '/',
      stdio: ['ignore', log, log],
      detached: true,
    });
    let ended: string | undefined;
    child.on('spawn', resolve);
    child.on('error', (error) => reject(new CommandError(command, error.message)));
    child.on('exit', (code, signal) => (ended = signal ?? `exit status ${code}`));
    await spawned;
    child.unref();
    return {
      ...processIdOf(child.pid ?? 0),
      name: options.name,
      logFile: options.logFile,
      ended: () => ended,
    };
  } finally {
    closeSync(log);
  }
}

/** The last lines of a log, for an error message. Empty when there is none. */
export async function logTail(logFile: string): Promise<string> {
  try {
    return (await readFile(logFile, 'utf8')).slice(-LOG_TAIL_CHARS).trim();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}

/** Waits until `ready` is true; throws at once, with the end of its log, when the process ends before that. */
export async function waitUntilReady(
  started: LongProcess,
  ready: () => Promise<boolean> | boolean,
  options: { readonly deadlineMs?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await waitFor(
    `${started.name} to be ready`,
    async () => {
      const how = started.ended();
      if (how !== undefined) {
        throw new Error(
          `${started.name} ended (${how}) before it was ready: ${await logTail(started.logFile)}`,
        );
      }
      return await ready();
    },
    { ...options, describe: () => logTail(started.logFile) },
  );
}
