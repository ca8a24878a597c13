import type { HostLink, InterfaceNotice } from './ports.ts';
import type { HostWorld } from './world.ts';

type Named = Pick<HostLink, 'name' | 'index'>;

/** Far more than a node has uplinks. */
const MOST_NAMES = 64;

/**
 * Which interface has a name, which each ADD asks more than once: known for as long as the kernel tells of no change of it, and
 * all that it has told is heard first.
 */
export class LinkNames {
  readonly #world: Pick<HostWorld, 'kernel' | 'hearNow'>;
  readonly #known = new Map<string, Named>();

  constructor(world: Pick<HostWorld, 'kernel' | 'hearNow'>) {
    this.#world = world;
  }

  /** Undefined: there is none. The name may be an alternative one; the answer has the name itself. */
  find(name: string): Named | undefined {
    const isHeard = this.#world.hearNow();
    const known = isHeard ? this.#known.get(name) : undefined;
    if (known !== undefined) return known;
    const found = this.#world.kernel.peek(name);
    if (found === undefined) return undefined;
    const named = { name: found.name, index: found.index };
    // Of an alternative name that goes the kernel does not say which it was.
    if (isHeard && found.name === name) this.#keep(named);
    return named;
  }

  #keep(named: Named): void {
    if (this.#known.size >= MOST_NAMES) this.#known.clear();
    this.#known.set(named.name, named);
  }

  /** Something changed on the node. */
  notice(notice: InterfaceNotice): void {
    if (notice.kind !== 'link') return;
    const { gone, index, name } = notice;
    for (const known of this.#known.values()) {
      const isSame = known.index === index && known.name === name;
      const concerns = known.index === index || known.name === name;
      if (concerns && (gone || !isSame)) this.#known.delete(known.name);
    }
  }

  /** Notices were lost. */
  lost(): void {
    this.#known.clear();
  }
}
