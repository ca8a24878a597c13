import type { Ipv4 } from '../../base/ipv4.ts';
import type { Duration } from '../../base/time.ts';
import { type Answer, type Granted, grantedBy, speakerOf } from './accept.ts';
import { choose, discoverNext, refuse, seek } from './acquire.ts';
import { bind } from './bind.ts';
import { refuseAck, refuseOther, release } from './give-back.ts';
import { withoutForceRenew } from './habit.ts';
import { preferIpv6 } from './ipv6-only.ts';
import { asSpoken, offeredRapid } from './manner.ts';
import { type Dhcp4Config, type Held, type StateOf, withIgnored, withInstead } from './state.ts';
import { type Env, ignore, type Step } from './step.ts';
import { turnDownOffer } from './turn-down.ts';

/** Who asks for an address by name (a static reservation, a runtime's `ips`) is not served by another one. */
export function isOtherAddress(config: Dhcp4Config, address: Ipv4): boolean {
  return config.requestedAddress !== undefined && config.requestedAddress !== address;
}

/** The diagnosis says what was given in place of what. */
function noteOther<S extends StateOf<'selecting' | 'requesting' | 'rebooting'>>(
  config: Dhcp4Config,
  state: S,
  given: Held,
): S {
  return { ...state, acquisition: withInstead(state.acquisition, config.requestedAddress, given) };
}

/**
 * An ACK with option 108 grants what is not used. RFC 8925 3.2 says it of INIT-REBOOT, where a RELEASE MAY follow. Of "any
 * other state" it says that the client SHOULD go on to use its address, and means answers to a REQUEST. An ACK to a
 * DISCOVER stands for the OFFER, after which nothing would have been asked for, and there is no address to go on with.
 */
function releaseForIpv6(
  config: Dhcp4Config,
  state: StateOf<'selecting' | 'rebooting'>,
  { granted, wait }: { readonly granted: Granted; readonly wait: Duration },
  env: Env,
): Step {
  // What another pod of this node lives by is not given back.
  const isHeld = env.objectionTo?.(granted.address) !== undefined;
  return preferIpv6(wait, env, ...(isHeld ? [] : [release(asSpoken(config, state), granted, env)]));
}

/**
 * An ACK to a DISCOVER that has no option 80 in it. A client that offered rapid commit takes an ACK with the option and
 * treats all else as RFC 2131 says (RFC 4039 3), which discards an ACK here (4.4.1, figure 5). That is the safe way too:
 * a server that has not said that it committed may give the address to somebody else. So the DISCOVER without option
 * 80 goes out at once, and its answer begins the exchange of four messages.
 */
function onUnmarkedAck(config: Dhcp4Config, state: StateOf<'selecting'>, env: Env): Step {
  const ignored = ignore(state, 'rapid-ack-unmarked');
  // Only the first DISCOVER had it: after any later one, the server does so without being asked.
  if (state.tries > 1 || ignored.state.kind !== 'selecting') return ignored;
  const next = discoverNext(config, ignored.state, env);
  return { state: next.state, effects: [...ignored.effects, ...next.effects] };
}

/** An ACK that nothing was asked for before but a lease: to a DISCOVER with option 80, and in INIT-REBOOT. */
function onFirstAck(
  config: Dhcp4Config,
  state: StateOf<'selecting' | 'rebooting'>,
  answer: Extract<Answer, { readonly kind: 'ack' }>,
  env: Env,
): Step {
  const { lease, v6Wait: wait } = answer;
  const granted = grantedBy(answer);
  if (isOtherAddress(config, lease.address.address))
    return refuseAck(config, noteOther(config, state, lease), granted, 'other-address', env);
  return wait === undefined
    ? bind(config, state, lease, env)
    : releaseForIpv6(config, state, { granted, wait }, env);
}

/** SELECTING: the first acceptable OFFER is taken (RFC 2131 4.4.1 leaves the choice open). */
export function onOffer(config: Dhcp4Config, state: StateOf<'selecting'>, answer: Answer, env: Env): Step {
  if (answer.kind === 'ipv6-only') return preferIpv6(answer.wait, env);
  if (answer.kind === 'nak') return ignore(state, 'unexpected-type');
  // RFC 2131 4.4.1: an ACK is discarded here, unless rapid commit was offered and is in it (RFC 4039 3.1).
  const wasOffered = offeredRapid(config, state.acquisition, state.tries);
  if (answer.kind === 'ack' && !wasOffered) return ignore(state, 'unexpected-type');
  if (answer.kind === 'ack' && !answer.rapid) return onUnmarkedAck(config, state, env);
  if (answer.kind === 'ack') return onFirstAck(config, state, answer, env);
  const { address } = answer.address;
  if (isOtherAddress(config, address)) return ignore(noteOther(config, state, answer), 'other-address');
  const objection = env.objectionTo?.(address);
  if (objection !== undefined) return turnDownOffer(config, state, answer, objection, env);
  return choose(config, state, answer, env);
}

/**
 * RFC 6704 3.1.4: an ACK without the nonce that its OFFER has promised is discarded, and the client returns to INIT. There
 * it does not say any more that it takes one: a server may have option 145 in its configuration and know nothing of it,
 * and a pod would never get an address. The lease is still held there: it is given back when nothing comes of it.
 */
function withoutNonce(config: Dhcp4Config, state: StateOf<'requesting'>, env: Env): Step {
  const ignored = ignore(state, 'no-nonce', state.serverId);
  const acquisition = withIgnored(state.acquisition, 'no-nonce', {});
  const next = seek(config, { ...acquisition, habit: withoutForceRenew(acquisition.habit) }, env);
  return { state: next.state, effects: [...ignored.effects, ...next.effects] };
}

/** REQUESTING: ACK binds, NAK begins again, further OFFERs are discarded (RFC 2131 figure 5). */
export function onVerdict(config: Dhcp4Config, state: StateOf<'requesting'>, answer: Answer, env: Env): Step {
  const speaker = speakerOf(answer);
  if (answer.kind === 'offer' || answer.kind === 'ipv6-only')
    return ignore(state, 'offer-not-chosen', speaker);
  // RFC 2131 3.1 step 4: only the selected server answers; another one's word is not about our offer.
  if (speaker !== state.serverId) {
    return answer.kind === 'ack'
      ? refuseOther(config, state, grantedBy(answer), env)
      : ignore(state, 'other-server', speaker);
  }
  // A server that offers an address and refuses it would do so again: it is not wished for any longer.
  if (answer.kind === 'nak') return refuse(config, { ...state.acquisition, hint: undefined }, answer, env);
  if (isOtherAddress(config, answer.lease.address.address))
    return refuseAck(config, noteOther(config, state, answer.lease), grantedBy(answer), 'other-address', env);
  const isPromised = state.nonceOffered === true && asSpoken(config, state).forceRenew === true;
  if (isPromised && answer.lease.nonce === undefined) return withoutNonce(config, state, env);
  // RFC 8925 3.2: option 108 counts in the OFFER; after one without it, the ACK's changes nothing.
  return bind(config, state, answer.lease, env);
}

/**
 * REBOOTING: any server's ACK binds, any server's NAK begins again (RFC 2131 figure 5), still with the address as a
 * wish: a server that forgot its leases refuses what it gladly offers.
 */
export function onReboot(config: Dhcp4Config, state: StateOf<'rebooting'>, answer: Answer, env: Env): Step {
  if (answer.kind === 'offer' || answer.kind === 'ipv6-only') return ignore(state, 'unexpected-type');
  if (answer.kind === 'nak') return refuse(config, state.acquisition, answer, env);
  return onFirstAck(config, state, answer, env);
}
