import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { unreachable } from '../base/invariant.ts';
import { signalProcess, stopProcess, type ProcessId } from './long-process.ts';
import { deleteNamespace } from './namespace-name.ts';
import { systemEnv } from './process.ts';

/** Something made on the machine that has to go again. Plain data, so that a later command can take it down. */
export type Resource =
  | { readonly kind: 'namespace'; readonly name: string }
  | { readonly kind: 'process'; readonly id: ProcessId; readonly name: string }
  | { readonly kind: 'folder'; readonly path: string };

async function remove(resource: Resource): Promise<void> {
  switch (resource.kind) {
    case 'namespace':
      return await deleteNamespace(resource.name);
    case 'process':
      return await stopProcess(resource.id);
    case 'folder':
      return await rm(resource.path, { recursive: true, force: true });
    default:
      return unreachable(resource);
  }
}

function removeAtExit(resource: Resource): void {
  switch (resource.kind) {
    case 'namespace':
      spawnSync('ip', ['netns', 'del', resource.name], { env: systemEnv(), stdio: 'ignore' });
      return;
    case 'process':
      signalProcess(resource.id, 'SIGKILL');
      return;
    case 'folder':
      rmSync(resource.path, { recursive: true, force: true });
      return;
    default:
      unreachable(resource);
  }
}

/** Every registry with something in it; when the process ends early, they are emptied without further promises. */
const live = new Set<Resources>();
let hooked = false;

function hookExit(): void {
  if (hooked) return;
  hooked = true;
  process.on('exit', () => {
    for (const resources of live) resources.removeNow();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // Whoever wants an orderly end listens too and gets its turn; alone, the default must remain: the process ends.
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(1);
    });
  }
}

/**
 * What was made, in order; disposing removes it in reverse order, and goes on when one step fails. It also empties
 * itself when the process exits early (process.exit, an uncaught error, SIGINT, SIGTERM), the hard way.
 */
export class Resources implements AsyncDisposable {
  #made: readonly Resource[];
  readonly #onChange: ((made: readonly Resource[]) => void) | undefined;

  /** `made`: taken over from an earlier process. `onChange` is told after each change, before anything depends on it. */
  constructor(made: readonly Resource[] = [], onChange?: (made: readonly Resource[]) => void) {
    this.#made = made;
    this.#onChange = onChange;
    hookExit();
    live.add(this);
  }

  get made(): readonly Resource[] {
    return this.#made;
  }

  add(resource: Resource): void {
    this.#made = [...this.#made, resource];
    this.#onChange?.(this.#made);
  }

  /** Removes one thing before its time. */
  async remove(resource: Resource): Promise<void> {
    await remove(resource);
    this.#made = this.#made.filter((other) => other !== resource);
    this.#onChange?.(this.#made);
  }

  /** Leaves everything up: from now on somebody else has to take it down. */
  keep(): void {
    live.delete(this);
    this.#made = [];
  }

  removeNow(): void {
    for (const resource of this.#made.toReversed()) removeAtExit(resource);
    this.#made = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const resource of this.#made.toReversed()) {
      try {
        await remove(resource);
        this.#made = this.#made.filter((other) => other !== resource);
      } catch (error) {
        failures.push(error);
      }
    }
    live.delete(this);
    if (failures.length > 0)
      throw new AggregateError(failures, `could not remove everything: ${failures.join('; ')}`);
  }
}
