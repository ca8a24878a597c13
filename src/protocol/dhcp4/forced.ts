import { renewNow } from './extend.ts';
import { authenticate, type ForceRenew } from './force-renew.ts';
import type { Dhcp4Config, Dhcp4State } from './state.ts';
import { type Env, type Step, to } from './step.ts';

/**
 * A FORCERENEW (RFC 3203 2.2), which means something to who has a lease: in BOUND, and in RENEWING, REBINDING or while the
 * lease is verified too, where the next REQUEST may be hours away. What is taken is noted in the state, so that it is not
 * taken twice; the REQUEST follows when `renew` says that it is its turn.
 */
export function onForceRenew(config: Dhcp4Config, state: Dhcp4State, heard: ForceRenew, env: Env): Step {
  const { source } = heard;
  if (!('lease' in state)) return to(state, { type: 'force-renew', refusal: 'no-lease', source });
  const nonce = authenticate(config, state.lease, heard, env.hmacMd5);
  if (!nonce.ok) return to(state, { type: 'force-renew', refusal: nonce.error, source });
  const lease = { ...state.lease, nonce: nonce.value };
  return to({ ...state, lease }, { type: 'force-renew', refusal: undefined, source });
}

/** The turn of a renewal that a server has asked for; nothing where there is no lease any more. */
export function onRenew(config: Dhcp4Config, state: Dhcp4State, env: Env): Step {
  return 'lease' in state ? renewNow(config, state, env) : to(state);
}
