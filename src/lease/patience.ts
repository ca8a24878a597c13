import { type Duration, later, millis } from '../base/time.ts';
import type { LeaseWorld, LinkState, PodNamespace } from './ports.ts';

const CARRIER_POLL = millis(50);
const LEASE_POLL = millis(25);

type World = Pick<LeaseWorld, 'clock' | 'timers'>;

function pause({ clock, timers }: World, duration: Duration): Promise<void> {
  return new Promise((resolve) => timers.at(later(clock.now(), duration), resolve));
}

/**
 * Waits for the carrier: a port that is only just plugged in loses everything that is sent before. False when there is
 * none within `limit`, or the link is gone, or nobody waits any more.
 */
export async function carrierComes(
  world: World,
  { pod, link }: { readonly pod: PodNamespace; readonly link: LinkState },
  limit: Duration,
  signal: AbortSignal,
): Promise<boolean> {
  const until = later(world.clock.now(), limit);
  let current: LinkState | undefined = link;
  while (current !== undefined && !current.lowerUp) {
    if (signal.aborted || world.clock.now() >= until) return false;
    await pause(world, CARRIER_POLL);
    current = await pod.link(link.name);
  }
  return current !== undefined;
}

/** Asks again and again until there is something; undefined when there is nothing within `limit`. */
export async function comes<T>(
  world: World,
  ask: () => T | undefined,
  limit: Duration,
): Promise<T | undefined> {
  const until = later(world.clock.now(), limit);
  for (;;) {
    const answer = ask();
    if (answer !== undefined || world.clock.now() >= until) return answer;
    await pause(world, LEASE_POLL);
  }
}
