import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../../../src/base/json.ts';
import { CriError, type SandboxStatus } from './cri.ts';
import type { NodeSpace } from './node-space.ts';
import { runPod } from './pods.ts';
import type { Runtime } from './runtime.ts';

/** A kubelet tries for ever, ever more rarely; a test has to end. */
const MOST_ATTEMPTS = 20;

/** A pod that was brought up, and what was said of the attempts that failed before. */
export type BroughtUp = { readonly pod: SandboxStatus; readonly failures: readonly string[] };

/** Runs the sandbox of a pod as a kubelet does: again, as another attempt, when it failed. Throws when it never comes up. */
export async function bringUp(runtime: Runtime, name: string, firstAttempt = 0): Promise<BroughtUp> {
  const failures: string[] = [];
  for (let attempt = firstAttempt; attempt < firstAttempt + MOST_ATTEMPTS; attempt++) {
    try {
      return { pod: await runPod(runtime, name, attempt), failures };
    } catch (error) {
      if (!(error instanceof CriError)) throw error;
      failures.push(error.message);
    }
  }
  throw new Error(`${name} does not come up: ${failures.join('; ')}`);
}

/** Sandboxes that do not run are stopped and removed, which gives their network back; resolves with how many there were. */
export async function clearAway(runtime: Runtime): Promise<number> {
  const stale = (await runtime.cri.listPodSandbox()).filter(({ state }) => state === 'SANDBOX_NOTREADY');
  for (const { id } of stale) {
    await runtime.cri.stopPodSandbox(id);
    await runtime.cri.removePodSandbox(id);
  }
  return stale.length;
}

/**
 * libcni writes what an ADD answered into its cache without a rename. A runtime that is killed meanwhile leaves an empty file. With
 * containerd 1.6 each StopPodSandbox of that sandbox fails then ("cached result: ... unexpected end of JSON input") until a
 * person removes it, as here; 2.4 goes on without it. Resolves with their names.
 */
export async function removeTornResults(space: NodeSpace): Promise<readonly string[]> {
  const folder = space.path('/var/lib/cni/results');
  const torn: string[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (parseJson(await readFile(path, 'utf8')).ok) continue;
    await rm(path);
    torn.push(name);
  }
  return torn;
}
