import { between, type Instant, seconds } from '../base/time.ts';
import { extraText } from '../protocol/dhcp4/extras.ts';
import type { Outcome } from '../protocol/dhcp4/diagnosis.ts';
import { doubted, type Habit, isNameless, NO_HABIT } from '../protocol/dhcp4/habit.ts';
import type { Dhcp4Config } from '../protocol/dhcp4/state.ts';
import type { LeaseWorld } from './ports.ts';

/** LANs of which something is remembered; the one that was learned first goes. */
const MOST_LANS = 64;
/** Then a pod asks as it is configured again: the server may be another one, or mended. If not, it costs this pod 0.25 s. */
const DOUBT_AFTER = seconds(600);
/** Then all is forgotten, also that option 61 is left out, which is never doubted: it is found out too slowly for that. */
const MEMORY = seconds(3600);

/** Plain JSON, made in one place. */
function isSame<T extends Habit | Habit['first']>(a: T, b: T): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

type Known = { readonly habit: Habit; readonly since: Instant; readonly triedAt: Instant };

/**
 * How clients begin to ask on each LAN, by what clients before them found out. Not stored: after a restart the first pod
 * finds it out again, within a second or two, and a habit of another boot may be of another LAN.
 */
export class Habits {
  readonly #world: Pick<LeaseWorld, 'clock' | 'log' | 'count'>;
  readonly #known = new Map<string, Known>();

  constructor(world: Pick<LeaseWorld, 'clock' | 'log' | 'count'>) {
    this.#world = world;
  }

  /** `lan` is the name of the interface through which the LAN is reached. */
  of(lan: string | undefined): Habit {
    const known = lan === undefined ? undefined : this.#known.get(lan);
    if (lan === undefined || known === undefined) return NO_HABIT;
    const now = this.#world.clock.now();
    if (between(known.since, now) > MEMORY) {
      this.#known.delete(lan);
      return NO_HABIT;
    }
    if (between(known.triedAt, now) <= DOUBT_AFTER) return known.habit;
    const habit = doubted(known.habit);
    this.#known.set(lan, { ...known, habit, triedAt: now });
    return habit;
  }

  /**
   * A client has its lease, and this is how the next one begins. Who must give its identifier says nothing of those who
   * need not.
   */
  learned(lan: string | undefined, habit: Habit): void {
    if (lan === undefined) return;
    const before = this.of(lan);
    if (isSame(before, habit) || (isNameless(before) && !isNameless(habit))) return;
    const now = this.#world.clock.now();
    const { since, triedAt } = this.#known.get(lan) ?? { since: now, triedAt: now };
    this.#known.delete(lan);
    if (isSame(habit, NO_HABIT)) return;
    for (const [oldest] of this.#known) {
      if (this.#known.size < MOST_LANS) break;
      this.#known.delete(oldest);
    }
    this.#known.set(lan, { habit, since, triedAt });
    if (!isSame(before.first, habit.first)) this.#say(lan, habit);
  }

  /**
   * A client has got nothing although it began like this; who must give its identifier did not, if that is left out. Who
   * was heard, and refused or offered what it could not take, says nothing of how to ask.
   */
  failed(
    lan: string | undefined,
    { clientIdOptional = false }: Pick<Dhcp4Config, 'clientIdOptional'>,
    outcome: Outcome,
  ): void {
    if (outcome === 'refused' || outcome === 'unusable') return;
    if (lan !== undefined && (clientIdOptional || !isNameless(this.of(lan)))) this.#known.delete(lan);
  }

  #say(lan: string, { first }: Habit): void {
    const without = first.leftOut.map(extraText);
    const bit = first.broadcast ? ['with the broadcast bit'] : [];
    this.#world.count('extras-left-out');
    this.#world.log.info(
      { uplink: lan, without, broadcast: first.broadcast },
      `DHCP on ${lan} did not answer a message as it is configured, and answered another: the next pods begin ${[
        ...(without.length > 0 ? [`without option ${without.join(', ')}`] : []),
        ...bit,
      ].join(' and ')}`,
    );
  }
}
