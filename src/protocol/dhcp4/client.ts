import { unreachable } from '../../base/invariant.ts';
import { acceptMessage, type Answer } from './accept.ts';
import { resend, seek, start } from './acquire.ts';
import { anonymized } from './anonymity.ts';
import { buildRelease } from './build.ts';
import { isDue, onExtension, prolong } from './extend.ts';
import { onForceRenew, onRenew } from './forced.ts';
import { onOtherServer, refuseAck } from './give-back.ts';
import { type Lease4, sameConfiguration } from './lease.ts';
import { onLinkUp } from './link-up.ts';
import { addressed, asSpoken } from './manner.ts';
import { type Dhcp4Config, type Dhcp4State, heldBy, leaseOf, wakeAt } from './state.ts';
import {
  anew,
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
import { giveUp } from './turn-down.ts';
import { onOffer, onReboot, onVerdict } from './verdict.ts';
import { verifyAgain } from './verify.ts';

function onWake(config: Dhcp4Config, state: Dhcp4State, env: Env): Step {
  const due = wakeAt(state);
  if (due === undefined || env.now < due) return to(state);
  switch (state.kind) {
    case 'selecting':
    case 'requesting':
    case 'rebooting':
      return resend(config, state, env);
    case 'bound':
      // Not T1: other servers are not heard any longer.
      return isDue(state.lease, env)
        ? prolong(config, state, env)
        : to({ kind: 'bound', lease: state.lease });
    case 'renewing':
    case 'rebinding':
      return prolong(config, state, env);
    case 'verifying':
      return verifyAgain(config, state, env);
    case 'waiting':
      return seek(config, state.acquisition, env);
    case 'ipv6-only':
      return seek(config, anew(env, undefined, undefined), env);
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

/** The transaction to which an answer may come in this state; undefined where every message is discarded. */
export function transactionOf(state: Dhcp4State): number | undefined {
  if ('xid' in state) return state.xid;
  return state.kind === 'bound' ? state.others?.xid : undefined;
}

/** In a state that waits for nothing every message is discarded (RFC 2131 figure 5), but see `onOtherServer`. */
function onMessage(
  config: Dhcp4Config,
  state: Dhcp4State,
  { message, source }: Extract<Dhcp4Event, { readonly type: 'message' }>,
  env: Env,
): Step {
  if (state.kind === 'bound') return onOtherServer(config, state, message, source, env);
  if (!('xid' in state)) return ignore(state, 'unexpected-type');
  const asked = addressed(config, state, message.xid);
  const xid = 'xid' in asked ? asked.xid : state.xid;
  const { requestedAt } = state;
  const isUnicast = state.kind === 'renewing';
  const question = { xid, requestedAt, lease: leaseOf(state), isUnicast, protect: env.protect };
  const answer = acceptMessage(asSpoken(config, asked), question, message, source);
  if (answer.ok) return onAnswer(config, asked, answer.value, env);
  const { reason, server, source: from, granted } = answer.error;
  return granted === undefined
    ? ignore(state, reason, server, from)
    : refuseAck(config, state, granted, reason, env);
}

/** RFC 2131 4.4.4, 4.4.6: by unicast, from the address that is given back. */
function onRelease(config: Dhcp4Config, state: Dhcp4State, env: Env): Step {
  const held = heldBy(state);
  if (held === undefined) return to({ kind: 'stopped' });
  const { serverId, address } = held;
  const via: Via = { kind: 'unicast', from: address.address, to: serverId };
  const message = buildRelease(asSpoken(config, state), newXid(env), { address: address.address, serverId });
  return to({ kind: 'stopped' }, tell(message, via));
}

function onConflict(
  config: Dhcp4Config,
  state: Dhcp4State,
  { holder = 'another host', tellServer = true, earlier = 0 }: Extract<Dhcp4Event, { type: 'conflict' }>,
  env: Env,
): Step {
  return giveUp(config, state, { holder, tellServer, earlier }, env);
}

function transition(config: Dhcp4Config, state: Dhcp4State, event: Dhcp4Event, env: Env): Step {
  switch (event.type) {
    case 'start':
      return state.kind === 'init' ? start(config, state, event, env) : to(state);
    case 'wake':
      return onWake(config, state, env);
    case 'message':
      return onMessage(config, state, event, env);
    case 'garbled':
      return ignore(state, 'garbled');
    case 'link-up':
      return onLinkUp(config, state, event.verify, env);
    case 'conflict':
      return onConflict(config, state, event, env);
    case 'force-renew':
      return onForceRenew(config, state, event.heard, env);
    case 'renew':
      return onRenew(config, state, env);
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
  // What is noted of a FORCERENEW is none of the lease's terms.
  const isNote = event.type === 'force-renew';
  const lease = isNote ? [] : leaseEffects(leaseOf(state), leaseOf(next.state));
  // A RELEASE is sent from the address. Everything else that is sent when a lease is lost is sent without one, so the
  // address goes first (RFC 2131 4.1, 4.4.5: "immediately").
  const effects = next.state.kind === 'stopped' ? [...next.effects, ...lease] : [...lease, ...next.effects];
  return { state: next.state, effects: config.anonymous === true ? effects.map(sayLess(env)) : effects };
}

function sayLess({ random }: Env): (effect: Dhcp4Effect) => Dhcp4Effect {
  return (effect) =>
    effect.type === 'send' ? { ...effect, message: anonymized(effect.message, random) } : effect;
}
