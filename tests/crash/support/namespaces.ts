import { mapParallel } from '../../../src/lab/parallel.ts';
import { run } from '../../../src/lab/process.ts';
import { namespaceName } from '../../../src/lab/names.ts';
import { Namespace } from '../../../src/lab/namespace.ts';
import type { LanSite } from '../../daemon/support/lan.ts';

const AT_ONCE = 64;
const COMMANDS_AT_ONCE = 4;

/** Pods' namespaces, made by one command for many: a load of short-lived pods takes hundreds. */
export class Namespaces {
  readonly #site: LanSite;
  #made = 0;
  #ready: Namespace[] = [];
  #making: Promise<void> | undefined;

  constructor(site: LanSite) {
    this.#site = site;
  }

  async take(): Promise<Namespace> {
    for (;;) {
      const namespace = this.#ready.pop();
      if (namespace !== undefined) return namespace;
      this.#making ??= this.#make().finally(() => (this.#making = undefined));
      await this.#making;
    }
  }

  async #make(): Promise<void> {
    const names = Array.from({ length: AT_ONCE }, () => {
      this.#made += 1;
      return namespaceName(this.#site.lan.prefix, `n${this.#made}`);
    });
    for (const name of names) this.#site.resources.add({ kind: 'namespace', name });
    await run(['ip', '-batch', '-'], { input: names.map((name) => `netns add ${name}\n`).join('') });
    this.#ready = names.map((name) => new Namespace(name));
  }

  /** Removes those of pods that are gone. */
  async drop(namespaces: readonly Namespace[]): Promise<void> {
    const names = new Set(namespaces.map(({ name }) => name));
    const { resources } = this.#site;
    const theirs = resources.made.filter((made) => made.kind === 'namespace' && names.has(made.name));
    await mapParallel(theirs, COMMANDS_AT_ONCE, (resource) => resources.remove(resource));
  }
}
