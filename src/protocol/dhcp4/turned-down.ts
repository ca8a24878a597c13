import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';

/** An address that a server gave and that was not used, because somebody else has it. */
export type TurnedDown = {
  readonly address: Ipv4;
  readonly serverId: Ipv4;
  /** Who has it, in words. */
  readonly holder: string;
  /** Questions to which it was the answer: one answer may be heard twice. */
  readonly times: number;
  /** How many questions had been sent when it was given last. */
  readonly asked: number;
};

/** Addresses that a diagnosis names, the first ones; where more are in use, these say enough. */
export const MOST_TURNED_DOWN = 8;

/** What an OFFER or an ACK gives. */
export type Given = { readonly address: Cidr<Ipv4>; readonly serverId: Ipv4 };

/** What is kept of a search for it. */
type Search = {
  readonly turnedDown: readonly TurnedDown[];
  readonly discovers: number;
  readonly requests: number;
};

/**
 * One more, with how often this server gave it. Infinity where there is no room to count: nobody waits then for a server
 * to insist, for it would be waited for for ever.
 */
export function withTurnedDown<S extends Search>(
  before: S,
  given: Given,
  holder: string,
): { readonly acquisition: S; readonly times: number } {
  const { turnedDown } = before;
  const asked = before.discovers + before.requests;
  const at = placeOf(before, given);
  const known = turnedDown[at];
  const times = known?.asked === asked ? known.times : (known?.times ?? 0) + 1;
  const { address, serverId } = given;
  const now: TurnedDown = { address: address.address, serverId, holder, times, asked };
  if (at >= 0) return { acquisition: { ...before, turnedDown: turnedDown.with(at, now) }, times };
  if (turnedDown.length >= MOST_TURNED_DOWN) return { acquisition: before, times: Infinity };
  return { acquisition: { ...before, turnedDown: [...turnedDown, now] }, times };
}

/** -1: it was not given before. */
export function placeOf({ turnedDown }: Search, { address: { address }, serverId }: Given): number {
  return turnedDown.findIndex((one) => one.address === address && one.serverId === serverId);
}
