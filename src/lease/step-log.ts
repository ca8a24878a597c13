import type { Dhcp4State } from '../protocol/dhcp4/state.ts';
import type { Dhcp4Event, Step } from '../protocol/dhcp4/step.ts';
import { keyText, type LeaseKey } from './record.ts';

/** One step of a machine for the log: names only, for a lease has secrets in it. */
export function stepFields(key: LeaseKey, before: Dhcp4State, event: Dhcp4Event, next: Step): object {
  return {
    lease: keyText(key),
    from: before.kind,
    event: event.type,
    to: next.state.kind,
    effects: next.effects.map((effect) => effect.type),
  };
}
