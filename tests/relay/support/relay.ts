import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../../..');
const testBuild = path.join(root, 'dist/relay-asan');

/** Exit code of a sanitizer's report: no relay ends with it by itself. */
const SANITIZER_EXIT = 99;

/** One call of the relay. What is left out is not set. */
export type Call = {
  readonly plugin?: string;
  readonly command?: string;
  readonly socket?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array | string;
  readonly cwd?: string;
  /** Whole argv[0], where it should not be the plugin's path. */
  readonly argv0?: string;
  /** A shell script that runs `"$0"` (the relay) its own way. */
  readonly script?: string;
  /** Patience of the relay; 10 s, so that a test that hangs fails by itself. */
  readonly timeoutMs?: number;
  readonly keepStdinOpen?: boolean;
  /** Called with the process that was started. */
  readonly onStart?: (pid: number) => void;
};

export type Outcome = { readonly code: number; readonly stdout: string };

/** A CNI error object as a runtime reads it. */
export type CniError = {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
};

/** Runs make for the relay; several test files may do so at once, hence the lock. */
export async function makeRelay(...args: readonly string[]): Promise<void> {
  const lock = path.join(root, 'dist/.relay.lock');
  await mkdir(path.dirname(lock), { recursive: true });
  await execute('flock', [lock, 'make', '-s', '-C', path.join(root, 'relay'), ...args]);
}

/** Builds the relay with AddressSanitizer and UndefinedBehaviorSanitizer. */
export async function buildTestRelay(): Promise<void> {
  await makeRelay('asan');
  assert.ok(existsSync(path.join(testBuild, 'leasehold')));
}

/** Path and environment of a call, for tests that start the process their own way. */
export function relayCommand(call: Call): { readonly file: string; readonly env: Record<string, string> } {
  const env: Record<string, string> = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    ASAN_OPTIONS: `halt_on_error=1:exitcode=${SANITIZER_EXIT}`,
    UBSAN_OPTIONS: `halt_on_error=1:exitcode=${SANITIZER_EXIT}:print_stacktrace=1`,
    LEASEHOLD_RELAY_TIMEOUT_MS: String(call.timeoutMs ?? 10_000),
    ...call.env,
  };
  if (call.command !== undefined) env.CNI_COMMAND = call.command;
  if (call.socket !== undefined) env.LEASEHOLD_SOCKET = call.socket;
  return { file: path.join(testBuild, call.plugin ?? 'leasehold'), env };
}

/**
 * Runs the relay's test build. Whatever the test is about, this holds for every call: it ends by itself with 0 or 1,
 * no sanitizer has anything to say, and stdout is empty or one JSON object (a CNI error when the code is 1).
 */
export async function runRelay(call: Call): Promise<Outcome> {
  const { file, env } = relayCommand(call);
  const options = { env, cwd: call.cwd };
  const child =
    call.script === undefined
      ? spawn(file, [], { ...options, argv0: call.argv0 ?? file })
      : spawn('sh', ['-c', call.script, file], options);
  if (child.pid !== undefined) call.onStart?.(child.pid);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', (error: NodeJS.ErrnoException) => {
    // The relay may end before it has read all; every other error is one.
    if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error;
  });
  if (call.stdin !== undefined) child.stdin.write(call.stdin);
  if (call.keepStdinOpen !== true) child.stdin.end();
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  child.stdin.destroy();
  assert.equal(Buffer.concat(err).toString(), '', 'nothing on stderr, sanitizer reports above all');
  assert.ok(code === 0 || code === 1, `exit code ${String(code)}`);
  const stdout = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(out));
  if (call.script === undefined) assertReadable(code, stdout);
  return { code, stdout };
}

function assertReadable(code: number, stdout: string): void {
  if (code === 0 && stdout === '') return;
  const parsed: unknown = JSON.parse(stdout);
  assert.ok(typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed));
  if (code === 0) return;
  assert.ok('code' in parsed && Number.isInteger(parsed.code), 'an error has a code');
  assert.ok('msg' in parsed && typeof parsed.msg === 'string', 'an error has a message');
}

/** Asserts that the outcome is a CNI error with this code and a message that matches, and returns it. */
export function assertError(outcome: Outcome, code: number, message: RegExp): CniError {
  assert.equal(outcome.code, 1);
  const error = JSON.parse(outcome.stdout) as CniError;
  assert.equal(error.code, code, outcome.stdout);
  assert.match(error.msg, message);
  return error;
}
