import { type Duration, later, seconds } from '../../base/time.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { readOption } from '../../wire/dhcp4/options.ts';
import type { Dhcp4Config } from './state.ts';
import { type Dhcp4Effect, type Env, type Step, to } from './step.ts';

/** MIN_V6ONLY_WAIT (RFC 8925 3.4): a shorter wait, and the 0 of a server without one, mean this one. */
const SHORTEST_V6ONLY_WAIT = seconds(300);
/** The RFC has no upper end: one forged OFFER could take IPv4 away for 136 years. */
const LONGEST_V6ONLY_WAIT = seconds(86_400);

/**
 * For how long the network asks this host to do without IPv4. Undefined where it does not ask, where the host did not
 * ask either (MUST ignore), and where the option is not four bytes long (RFC 8925 3.1, 3.2).
 */
export function v6OnlyWait(config: Dhcp4Config, message: Dhcp4Message): Duration | undefined {
  if (!config.ipv6Only) return undefined;
  const option = readOption(message.options, 'v6-only-preferred');
  if (option.kind !== 'value') return undefined;
  const asked = seconds(option.value);
  if (asked < SHORTEST_V6ONLY_WAIT) return SHORTEST_V6ONLY_WAIT;
  return asked > LONGEST_V6ONLY_WAIT ? LONGEST_V6ONLY_WAIT : asked;
}

/** Seeks no address for that long (RFC 8925 3.2). `first` is carried out before that is told. */
export function preferIpv6(wait: Duration, env: Env, ...first: readonly Dhcp4Effect[]): Step {
  const until = later(env.now, wait);
  return to({ kind: 'ipv6-only', until }, ...first, { type: 'ipv6-only', until });
}
