import { spawnSync } from 'node:child_process';
import { invariant } from '../src/base/invariant.ts';
import { NETNS_FOLDER } from '../src/lab/namespace-name.ts';
import { run, runToEnd, systemEnv } from '../src/lab/process.ts';

const BATCH_LIMIT_MS = 120_000;

function batch(verb: 'add' | 'del', names: readonly string[]): string {
  return names.map((name) => `netns ${verb} ${name}\n`).join('');
}

/**
 * Namespaces of containers, by the hundred: one `ip` makes them all. Disposing removes them; so does an early end of
 * the process.
 */
export class Pods implements AsyncDisposable {
  readonly #names: readonly string[];
  readonly #atExit = (): void => {
    const input = batch('del', this.#names);
    spawnSync('ip', ['-force', '-batch', '-'], {
      input,
      env: systemEnv(),
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  };

  private constructor(names: readonly string[]) {
    this.#names = names;
    process.on('exit', this.#atExit);
  }

  static async create(prefix: string, count: number, signal: AbortSignal): Promise<Pods> {
    const names = Array.from({ length: count }, (_, at) => `${prefix}-pod${at}`);
    const pods = new Pods(names);
    try {
      const options = { input: batch('add', names), timeoutMs: BATCH_LIMIT_MS, signal };
      await run(['ip', '-batch', '-'], options);
      return pods;
    } catch (error) {
      await pods[Symbol.asyncDispose]();
      throw error;
    }
  }

  get count(): number {
    return this.#names.length;
  }

  /** Paths of the first `count`, from number `first` on. */
  paths(count: number, first = 0): readonly string[] {
    invariant(first + count <= this.#names.length, 'there are enough namespaces');
    return this.#names.slice(first, first + count).map((name) => `${NETNS_FOLDER}/${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // `-force` goes on after one that was never made.
    await runToEnd(['ip', '-force', '-batch', '-'], {
      input: batch('del', this.#names),
      timeoutMs: BATCH_LIMIT_MS,
    });
    process.off('exit', this.#atExit);
  }
}
