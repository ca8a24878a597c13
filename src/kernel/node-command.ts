import { execFile } from 'node:child_process';

/** A list of rules is longer on a big node than a person reads; what is cut off is no JSON any more, and not used. */
const MOST_OUTPUT_BYTES = 4 << 20;
const PATIENCE_MS = 5000;

/** Where programs of the system lie; a service's PATH may lack some. */
const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin';

export type CommandOutcome =
  | { readonly kind: 'done'; readonly stdout: string }
  | { readonly kind: 'failed'; readonly why: string };

/** Runs a program that only shows something, without a shell, at most 5 s and 4 MiB of output. */
export function askProgram(program: string, args: readonly string[]): Promise<CommandOutcome> {
  const { promise, resolve } = Promise.withResolvers<CommandOutcome>();
  const options = {
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C' },
    cwd: '/',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    maxBuffer: MOST_OUTPUT_BYTES,
  } as const;
  execFile(program, [...args], options, (error, stdout, stderr) => {
    if (error === null) resolve({ kind: 'done', stdout });
    else if (error.code === 'ENOENT') resolve({ kind: 'failed', why: `${program} is not installed` });
    else resolve({ kind: 'failed', why: `${program}: ${firstLine(stderr) || firstLine(error.message)}` });
  });
  return promise;
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 200);
}
