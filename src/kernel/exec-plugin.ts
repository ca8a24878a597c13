import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { constants } from 'node:os';
import { isAbsolute } from 'node:path';
import type { Readable } from 'node:stream';
import { SysError } from '../base/sys-error.ts';
import { fromNodeError } from './errno.ts';

export type PluginRun = {
  /** The whole environment: nothing of the daemon's own is added. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly timeoutMs: number;
  /** Kills it; the run rejects with ECANCELED. */
  readonly signal?: AbortSignal;
  /** For stdout and stderr each. More on stdout is an error, stderr is cut. */
  readonly maxOutputBytes: number;
};

/** `status` is the exit status; 128 + its number when a signal ended it, as a shell counts. */
export type PluginOutcome = {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
};

const SIGNAL_STATUS_BASE = 128;

/** Keeps the first `maxBytes`; the function returned gives what has come so far. */
function collect(stream: Readable, maxBytes: number, onTooMuch: () => void): () => string {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    if (length < maxBytes) chunks.push(chunk.subarray(0, maxBytes - length));
    length += chunk.length;
    if (length > maxBytes) onTooMuch();
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function start(op: string, path: string, env: PluginRun['env']): ChildProcessWithoutNullStreams {
  if (!isAbsolute(path)) throw new SysError(op, 'EINVAL', 'the path must be absolute');
  try {
    return spawn(path, [], { env: { ...env }, cwd: '/', stdio: 'pipe' });
  } catch (error) {
    throw fromNodeError(op, error);
  }
}

/**
 * Runs another CNI plugin, without a shell. Rejects with SysError: ENOENT or EACCES when it cannot be started,
 * ETIMEDOUT when it did not end in time, EMSGSIZE when it wrote too much; in the last two cases it is killed, the
 * child itself and nothing else. A grandchild that keeps the pipes open is waited for until the time is over.
 */
export async function runPlugin(path: string, run: PluginRun): Promise<PluginOutcome> {
  const op = `exec ${path}`;
  const child = start(op, path, run.env);
  const { promise, resolve, reject } = Promise.withResolvers<PluginOutcome>();
  let failure: SysError | undefined;
  const cutOff = (reason: SysError | undefined): void => {
    failure ??= reason;
    child.kill('SIGKILL');
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const stdout = collect(child.stdout, run.maxOutputBytes, () => {
    cutOff(new SysError(op, 'EMSGSIZE', `more than ${run.maxOutputBytes} bytes on stdout`));
  });
  const stderr = collect(child.stderr, run.maxOutputBytes, () => undefined);
  const timer = setTimeout(() => {
    const ended = child.exitCode !== null || child.signalCode !== null;
    cutOff(ended ? undefined : new SysError(op, 'ETIMEDOUT', `no end after ${run.timeoutMs} ms`));
  }, run.timeoutMs);
  const cancel = (): void => cutOff(new SysError(op, 'ECANCELED', 'nobody waits for it any more'));
  run.signal?.addEventListener('abort', cancel, { once: true });
  if (run.signal?.aborted === true) cancel();
  // EPIPE: it ended without reading all of its input, which its answer explains better.
  child.stdin.on('error', () => undefined);
  child.stdin.end(run.stdin);
  child.on('error', (error) => reject(fromNodeError(op, error)));
  child.on('close', (code, signal) => {
    if (failure !== undefined) reject(failure);
    const signalStatus = signal === null ? 0 : SIGNAL_STATUS_BASE + constants.signals[signal];
    resolve({ status: code ?? signalStatus, stdout: stdout(), stderr: stderr() });
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    run.signal?.removeEventListener('abort', cancel);
  }
}
