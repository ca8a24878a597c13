import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_OUTPUT_BYTES = 1024 * 1024;
/** A shell's exit status for a command ended by a signal is this plus the signal's number. */
const SIGNALLED = 128;

export type RunOptions = {
  readonly input?: string | undefined;
  /** The whole environment; by default this process's own with the sbin folders in PATH. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string;
  /** The command is killed after this. */
  readonly timeoutMs?: number;
  /** Bound of stdout and of stderr, each; more ends the command. */
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal | undefined;
};

/** `status` is the exit status, or 128 + signal; `stopped` says why this side ended the command. */
export type Outcome = {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stopped: string | undefined;
};

/** A command that could not be started, failed, or was stopped. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly command: readonly string[];
  readonly outcome: Outcome | undefined;

  constructor(command: readonly string[], why: string, outcome?: Outcome) {
    super(`${command.join(' ')}: ${why}`);
    this.command = command;
    this.outcome = outcome;
  }
}

/** PATH with the folders where ip, dnsmasq and DHCP clients live: a plain user's PATH, and sudo's, may lack them. */
export function systemEnv(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const own = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const path = `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;
  return { ...Object.fromEntries(own), PATH: path, ...extra };
}

class BoundedText {
  readonly #limit: number;
  readonly #parts: Buffer[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False when the bound is passed; what came before stays readable. */
  push(part: Buffer): boolean {
    this.#length += part.length;
    if (this.#length > this.#limit) return false;
    this.#parts.push(part);
    return true;
  }

  text(): string {
    return Buffer.concat(this.#parts).toString('utf8');
  }
}

function statusOf(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? SIGNALLED + (signal === null ? 0 : constants.signals[signal]);
}

/**
 * Runs a command to its end, without a shell, and gives what it answered whatever its exit status. It is its own
 * session, so that a Ctrl-C in the terminal does not kill a cleanup half way. Throws CommandError only when it cannot
 * be started.
 */
export async function runToEnd(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [file = '', ...args] = command;
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const child = spawn(file, args, {
    env: options.env ?? systemEnv(),
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const limit = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  const stdout = new BoundedText(limit);
  const stderr = new BoundedText(limit);
  let stopped: string | undefined;
  const stop = (why: string): void => {
    stopped ??= why;
    child.kill('SIGKILL');
    // A grandchild may hold the pipes open; without this the 'close' below would wait for it.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const timer = setTimeout(() => stop(`stopped after ${timeoutMs} ms`), timeoutMs);
  const abort = (): void => stop('interrupted');
  options.signal?.addEventListener('abort', abort, { once: true });
  child.stdout.on('data', (part: Buffer) => stdout.push(part) || stop(`more than ${limit} bytes of output`));
  child.stderr.on('data', (part: Buffer) => stderr.push(part) || stop(`more than ${limit} bytes on stderr`));
  // EPIPE: the command ended without reading its input, which is its right; its exit status tells the rest.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  child.on('error', (error) => reject(new CommandError(command, error.message)));
  child.on('close', (code, signal) => {
    resolve({ status: statusOf(code, signal), stdout: stdout.text(), stderr: stderr.text(), stopped });
  });
  if (options.signal?.aborted === true) abort();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', abort);
  }
}

/** Like runToEnd, but anything other than exit status 0 throws CommandError with what was said on stderr. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const outcome = await runToEnd(command, options);
  if (outcome.stopped !== undefined) throw new CommandError(command, outcome.stopped, outcome);
  if (outcome.status === 0) return outcome.stdout;
  const said = (outcome.stderr.trim() || outcome.stdout.trim()).slice(0, 2000);
  throw new CommandError(command, `exit status ${outcome.status}${said === '' ? '' : `: ${said}`}`, outcome);
}

function ignore(): void {}

/** Runs with this process's own terminal (for an interactive shell) and gives the exit status. */
export async function runInteractive(
  command: readonly string[],
  env: Record<string, string>,
): Promise<number> {
  const [file = '', ...args] = command;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn(file, args, { env, stdio: 'inherit' });
  child.on('error', (error) => reject(new CommandError(command, error.message)));
  child.on('close', (code, signal) => resolve(statusOf(code, signal)));
  // A terminal sends Ctrl-C to both; it is meant for the command, and this process has to outlive it.
  process.on('SIGINT', ignore);
  try {
    return await promise;
  } finally {
    process.off('SIGINT', ignore);
  }
}
