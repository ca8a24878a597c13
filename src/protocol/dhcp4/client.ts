import { unreachable } from '../../base/invariant.ts';
import { later, seconds } from '../../base/time.ts';
import { acceptMessage, type Answer } from './accept.ts';
import { resend, seek, start } from './acquire.ts';
import { buildDecline, buildRelease } from './build.ts';
import { onExtension, prolong } from './extend.ts';
import { type Lease4, sameConfiguration } from './lease.ts';
import { onLinkUp } from './link-up.ts';
import { type Dhcp4Config, type Dhcp4State, heldBy, leaseOf, newAcquisition, wakeAt } from './state.ts';
import {
  BROADCAST,
  type Dhcp4Effect,
  type Dhcp4Event,
  type Env,
  ignore,
  newXid,
  type Step,
  tell,
  to,
  type Via,
} from './step.ts';
import { onOffer, onReboot, onVerdict } from './verdict.ts';
import { verifyAgain } from './verify.ts';

/** RFC 2131 3.1 step 5: wait at least ten seconds after a DECLINE. */
const DECLINE_PAUSE = seconds(10);
/** RFC 5227 1.1, 2.1.1: MAX_CONFLICTS, and RATE_LIMIT_INTERVAL from then on. */
const MOST_CONFLICTS = 10;
const CONFLICT_RATE_LIMIT = seconds(60);

function onWake(config: Dhcp4Config, state: Dhcp4State, env: Env): Step {
  const due = wakeAt(state);
  if (due === undefined || env.now < due) return to(state);
  switch (state.kind) {
    case 'selecting':
    case 'requesting':
    case 'rebooting':
      return resend(config, state, env);
    case 'bound':
    case 'renewing':
    case 'rebinding':
      return prolong(config, state, env);
    case 'verifying':
      return verifyAgain(config, state, env);
    case 'waiting':
      return seek(config, state.acquisition, env);
    case 'ipv6-only':
      return seek(config, newAcquisition(env.now, undefined), env);
    case 'init':
    case 'stopped':
      return to(state);
    default:
      return unreachable(state);
  }
}

function onAnswer(config: Dhcp4Config, state: Dhcp4State, answer: Answer, env: Env): Step {
  switch (state.kind) {
    case 'selecting':
      return onOffer(config, state, answer, env);
    case 'requesting':
      return onVerdict(config, state, answer, env);
    case 'rebooting':
      return onReboot(config, state, answer, env);
    case 'renewing':
    case 'rebinding':
    case 'verifying':
      return onExtension(config, state, answer, env);
    case 'init':
    case 'bound':
    case 'waiting':
    case 'ipv6-only':
    case 'stopped':
      return ignore(state, 'unexpected-type');
    default:
      return unreachable(state);
  }
}

/** In a state that waits for nothing, every message is discarded (RFC 2131 figure 5). */
function onMessage(
  config: Dhcp4Config,
  state: Dhcp4State,
  { message, source }: Extract<Dhcp4Event, { readonly type: 'message' }>,
  env: Env,
): Step {
  if (!('xid' in state)) return ignore(state, 'unexpected-type');
  const { xid, requestedAt } = state;
  const isUnicast = state.kind === 'renewing';
  const question = { xid, requestedAt, lease: leaseOf(state), isUnicast, protect: env.protect };
  const answer = acceptMessage(config, question, message, source);
  return answer.ok
    ? onAnswer(config, state, answer.value, env)
    : ignore(state, answer.error.reason, answer.error.server, answer.error.source);
}

/** RFC 2131 4.4.4, 4.4.6: by unicast, from the address that is given back. */
function onRelease(config: Dhcp4Config, state: Dhcp4State, env: Env): Step {
  const held = heldBy(state);
  if (held === undefined) return to({ kind: 'stopped' });
  const { serverId, address } = held;
  const via: Via = { kind: 'unicast', from: address.address, to: serverId };
  const message = buildRelease(config, newXid(env), { address: address.address, serverId });
  return to({ kind: 'stopped' }, tell(message, via));
}

/** RFC 2131 3.1 step 5, 4.4.4: DECLINE by broadcast, as the address must not be used. */
function onConflict(config: Dhcp4Config, state: Dhcp4State, earlier: number, env: Env): Step {
  const lease = leaseOf(state);
  if (lease === undefined) return to(state);
  const pause: Dhcp4State = {
    kind: 'waiting',
    acquisition: newAcquisition(env.now, undefined),
    until: later(env.now, earlier < MOST_CONFLICTS ? DECLINE_PAUSE : CONFLICT_RATE_LIMIT),
  };
  return to(pause, tell(buildDecline(config, newXid(env), lease, 'address in use'), BROADCAST));
}

function transition(config: Dhcp4Config, state: Dhcp4State, event: Dhcp4Event, env: Env): Step {
  switch (event.type) {
    case 'start':
      return state.kind === 'init' ? start(config, state.last, event.hint, env) : to(state);
    case 'wake':
      return onWake(config, state, env);
    case 'message':
      return onMessage(config, state, event, env);
    case 'garbled':
      return ignore(state, 'garbled');
    case 'link-up':
      return onLinkUp(config, state, event.verify, env);
    case 'conflict':
      return onConflict(config, state, event.earlier ?? 0, env);
    case 'release':
      return onRelease(config, state, env);
    default:
      return unreachable(event);
  }
}

/** Install, extend and withdraw follow from what was held before and after, so no transition can forget them. */
function leaseEffects(before: Lease4 | undefined, after: Lease4 | undefined): readonly Dhcp4Effect[] {
  if (before === after) return [];
  if (after === undefined) return before === undefined ? [] : [{ type: 'withdraw', lease: before }];
  return before !== undefined && sameConfiguration(before, after)
    ? [{ type: 'extend', lease: after }]
    : [{ type: 'install', lease: after, replaces: before }];
}

/**
 * One step of the DHCPv4 client (RFC 2131 4.4): no I/O, no clock, no randomness of its own. The effects are to be
 * carried out in order; the state is to be stored before a lease in it is used.
 */
export function step(config: Dhcp4Config, state: Dhcp4State, event: Dhcp4Event, env: Env): Step {
  const next = transition(config, state, event, env);
  const lease = leaseEffects(leaseOf(state), leaseOf(next.state));
  // A RELEASE is sent from the address. Everything else that is sent when a lease is lost is sent without one, so the
  // address goes first (RFC 2131 4.1, 4.4.5: "immediately").
  const effects = next.state.kind === 'stopped' ? [...next.effects, ...lease] : [...lease, ...next.effects];
  return { state: next.state, effects };
}
