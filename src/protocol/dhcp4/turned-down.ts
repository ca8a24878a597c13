import type { Ipv4 } from '../../base/ipv4.ts';
import type { Acquisition, Held } from './state.ts';

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

/** One more, with how often this server gave it; 1 where there is no room to count. */
export function withTurnedDown(
  before: Acquisition,
  { address: { address }, serverId }: Held,
  holder: string,
): { readonly acquisition: Acquisition; readonly times: number } {
  const { turnedDown } = before;
  const asked = before.discovers + before.requests;
  const at = turnedDown.findIndex((one) => one.address === address && one.serverId === serverId);
  const known = turnedDown[at];
  const times = known?.asked === asked ? known.times : (known?.times ?? 0) + 1;
  const now: TurnedDown = { address, serverId, holder, times, asked };
  if (at >= 0) return { acquisition: { ...before, turnedDown: turnedDown.with(at, now) }, times };
  if (turnedDown.length >= MOST_TURNED_DOWN) return { acquisition: before, times };
  return { acquisition: { ...before, turnedDown: [...turnedDown, now] }, times };
}
