import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { isSysError } from '../base/sys-error.ts';
import type { RunDelegate } from '../cni/ports.ts';
import { runPlugin } from '../kernel/exec-plugin.ts';

/** Another plugin may wait for a network of its own; the runtimes' own patience is about as long. */
const DELEGATE_LIMIT_MS = 60_000;
const DELEGATE_OUTPUT_BYTES = 1 << 20;

/** Runs a foreign IPAM plugin from CNI_PATH. */
export const runDelegate: RunDelegate = async ({ type, path, environment, stdin, signal }) => {
  const file = await findPlugin(type, path);
  if (file === undefined) return { kind: 'not-found' };
  try {
    const ended = await runPlugin(file, {
      env: { ...environment, PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdin,
      timeoutMs: DELEGATE_LIMIT_MS,
      maxOutputBytes: DELEGATE_OUTPUT_BYTES,
      ...(signal === undefined ? {} : { signal }),
    });
    return { kind: 'ended', ...ended };
  } catch (error) {
    if (!isSysError(error)) throw error;
    return { kind: 'ended', status: undefined, stdout: '', stderr: error.message };
  }
};

async function findPlugin(type: string, path: readonly string[]): Promise<string | undefined> {
  for (const folder of path) {
    const file = join(folder, type);
    if (await isThere(file)) return file;
  }
  return undefined;
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
