import { unreachable } from '../../base/invariant.ts';
import type { Cidr } from '../../base/cidr.ts';
import { IPV4_ANY, type Ipv4 } from '../../base/ipv4.ts';
import { between, earliest, type Instant, later, seconds } from '../../base/time.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { type Answer, acceptMessage } from './accept.ts';
import { renewDelay, resendDelay } from './backoff.ts';
import {
  buildDecline,
  buildDiscover,
  buildRebootRequest,
  buildRelease,
  buildRenewRequest,
  buildSelectingRequest,
  secsSince,
  wantsBroadcast,
} from './build.ts';
import { type Lease4, sameConfiguration } from './lease.ts';
import type { IgnoreReason } from './reasons.ts';
import {
  type Acquisition,
  type Dhcp4Config,
  type Dhcp4State,
  heldBy,
  leaseOf,
  newAcquisition,
} from './state.ts';

/** Where a message goes: to everybody on the link, or to one server from the address that the pod holds. */
export type Via =
  | { readonly kind: 'broadcast'; readonly from: Ipv4 }
  | { readonly kind: 'unicast'; readonly from: Ipv4; readonly to: Ipv4 };

export type Dhcp4Event =
  | { readonly type: 'start' }
  /** The time of `wakeAt` has come; an early or a second one changes nothing. */
  | { readonly type: 'wake' }
  | { readonly type: 'message'; readonly message: Dhcp4Message }
  /** Somebody else uses the leased address (RFC 5227): DECLINE, and begin again after a pause. */
  | { readonly type: 'conflict' }
  /** The owner needs the address no longer: RELEASE what is held or was asked for, and stop. */
  | { readonly type: 'release' };

export type Dhcp4Effect =
  /** `reply`: whether an answer may come, so that the sender must listen. */
  | { readonly type: 'send'; readonly message: Dhcp4Message; readonly via: Via; readonly reply: boolean }
  /** Configure the pod with this lease (the first one, or one that differs). */
  | { readonly type: 'install'; readonly lease: Lease4 }
  /** The pod must not use this address any more. */
  | { readonly type: 'withdraw'; readonly lease: Lease4 }
  /** The same configuration, for longer. */
  | { readonly type: 'extend'; readonly lease: Lease4 }
  | { readonly type: 'refused'; readonly text: string | undefined }
  | { readonly type: 'ignore'; readonly reason: IgnoreReason };

/** The world as this step sees it: the time, and numbers in [0, 1). */
export type Env = { readonly now: Instant; readonly random: () => number };

export type Step = { readonly state: Dhcp4State; readonly effects: readonly Dhcp4Effect[] };

/** REQUESTs for one offer before it is given up and sought anew: 0.25 + 0.5 + 1 + 2 + 4 s. */
const REQUEST_TRIES = 5;
/** REQUESTs of INIT-REBOOT before DISCOVER: servers that don't know the client stay silent (RFC 2131 4.3.2). */
const REBOOT_TRIES = 3;
/** RFC 2131 3.1.5: wait at least ten seconds after a DECLINE. */
const DECLINE_PAUSE = seconds(10);

const BROADCAST: Via = { kind: 'broadcast', from: IPV4_ANY };

function newXid(env: Env): number {
  return Math.floor(env.random() * 2 ** 32) >>> 0;
}

function ask(message: Dhcp4Message, via: Via): Dhcp4Effect {
  return { type: 'send', message, via, reply: true };
}

function tell(message: Dhcp4Message, via: Via): Dhcp4Effect {
  return { type: 'send', message, via, reply: false };
}

function stay(state: Dhcp4State, ...effects: readonly Dhcp4Effect[]): Step {
  return { state, effects };
}

function discover(config: Dhcp4Config, acquisition: Acquisition, xid: number, tries: number, env: Env): Step {
  const at = { xid, secs: secsSince(acquisition.since, env.now), broadcast: wantsBroadcast(config, tries) };
  return {
    state: {
      kind: 'selecting',
      acquisition: { ...acquisition, discovers: acquisition.discovers + 1 },
      xid,
      tries: tries + 1,
      resendAt: later(env.now, resendDelay(tries, env.random)),
    },
    effects: [ask(buildDiscover(config, at), BROADCAST)],
  };
}

function seek(config: Dhcp4Config, acquisition: Acquisition, env: Env): Step {
  return discover(config, acquisition, newXid(env), 0, env);
}

function request(
  config: Dhcp4Config,
  from: {
    acquisition: Acquisition;
    xid: number;
    address: Cidr<Ipv4>;
    serverId: Ipv4;
    requestedAt: Instant;
    broadcast: boolean;
  },
  tries: number,
  env: Env,
): Step {
  const { acquisition, xid, address, serverId, requestedAt } = from;
  const broadcast = from.broadcast || wantsBroadcast(config, tries);
  const at = { xid, secs: secsSince(acquisition.since, env.now), broadcast };
  return {
    state: {
      kind: 'requesting',
      acquisition: { ...acquisition, requests: acquisition.requests + 1 },
      xid,
      address,
      serverId,
      requestedAt,
      broadcast,
      tries: tries + 1,
      resendAt: later(env.now, resendDelay(tries, env.random)),
    },
    effects: [ask(buildSelectingRequest(config, at, { address: address.address, serverId }), BROADCAST)],
  };
}

function reboot(
  config: Dhcp4Config,
  from: { acquisition: Acquisition; xid: number; address: Ipv4; requestedAt: Instant },
  tries: number,
  env: Env,
): Step {
  const { acquisition, xid, address, requestedAt } = from;
  const at = { xid, secs: secsSince(acquisition.since, env.now), broadcast: wantsBroadcast(config, tries) };
  return {
    state: {
      kind: 'rebooting',
      acquisition: { ...acquisition, requests: acquisition.requests + 1 },
      xid,
      address,
      requestedAt,
      tries: tries + 1,
      resendAt: later(env.now, resendDelay(tries, env.random)),
    },
    effects: [ask(buildRebootRequest(config, at, address), BROADCAST)],
  };
}

/** RENEWING asks the server that gave the lease, REBINDING any (RFC 2131 4.4.5). Past the end: seek anew. */
function extend(
  config: Dhcp4Config,
  lease: Lease4,
  times: NonNullable<Lease4['times']>,
  pending: { xid: number; tries: number; requestedAt: Instant } | undefined,
  env: Env,
): Step {
  if (env.now >= times.expiresAt) return seek(config, newAcquisition(env.now), env);
  const rebinding = env.now >= times.rebindAt;
  const [from, until] = rebinding ? [times.rebindAt, times.expiresAt] : [times.renewAt, times.rebindAt];
  const { xid, tries, requestedAt } = pending ?? { xid: newXid(env), tries: 0, requestedAt: env.now };
  const address = lease.address.address;
  const message = buildRenewRequest(config, { xid, secs: secsSince(times.renewAt, env.now) }, lease);
  const via: Via = rebinding
    ? { kind: 'broadcast', from: address }
    : { kind: 'unicast', from: address, to: lease.serverId };
  return {
    state: {
      kind: rebinding ? 'rebinding' : 'renewing',
      lease,
      xid,
      tries: tries + 1,
      requestedAt,
      resendAt: earliest(until, later(env.now, renewDelay(between(env.now, until), between(from, until)))),
    },
    effects: [ask(message, via)],
  };
}

/** A NAK: begin again, at once after the first, ever later after further ones so that a NAK storm stays a breeze. */
function refuse(config: Dhcp4Config, acquisition: Acquisition, text: string | undefined, env: Env): Step {
  const next = { ...acquisition, naks: acquisition.naks + 1, nakText: text };
  const refused: Dhcp4Effect = { type: 'refused', text };
  if (next.naks > 1) {
    return stay(
      { kind: 'waiting', acquisition: next, until: later(env.now, resendDelay(next.naks, env.random)) },
      refused,
    );
  }
  const again = seek(config, next, env);
  return { state: again.state, effects: [refused, ...again.effects] };
}

function onWake(config: Dhcp4Config, state: Dhcp4State, env: Env): Step {
  const due = wakeAt(state);
  if (due === undefined || env.now < due) return stay(state);
  switch (state.kind) {
    case 'selecting':
      return discover(config, state.acquisition, state.xid, state.tries, env);
    case 'requesting':
      return state.tries < REQUEST_TRIES
        ? request(config, state, state.tries, env)
        : seek(config, state.acquisition, env);
    case 'rebooting':
      return state.tries < REBOOT_TRIES
        ? reboot(config, state, state.tries, env)
        : seek(config, state.acquisition, env);
    case 'bound':
      return state.lease.times === undefined
        ? stay(state)
        : extend(config, state.lease, state.lease.times, undefined, env);
    case 'renewing':
    case 'rebinding':
      return state.lease.times === undefined
        ? stay(state)
        : extend(config, state.lease, state.lease.times, state, env);
    case 'waiting':
      return seek(config, state.acquisition, env);
    case 'init':
    case 'stopped':
      return stay(state);
    default:
      return unreachable(state);
  }
}

/** Counts a message that was not taken, in the state (for the diagnosis) and as an effect (for the counters). */
function ignore(state: Dhcp4State, reason: IgnoreReason): Step {
  const effect: Dhcp4Effect = { type: 'ignore', reason };
  if (!('acquisition' in state)) return stay(state, effect);
  const { acquisition } = state;
  const ignored = { ...acquisition.ignored, [reason]: (acquisition.ignored[reason] ?? 0) + 1 };
  return stay({ ...state, acquisition: { ...acquisition, ignored } }, effect);
}

function isOtherAddress(config: Dhcp4Config, address: Ipv4): boolean {
  return config.requestedAddress !== undefined && config.requestedAddress !== address;
}

function onAnswer(config: Dhcp4Config, state: Dhcp4State, answer: Answer, env: Env): Step {
  switch (state.kind) {
    case 'selecting': {
      if (answer.kind === 'nak') return ignore(state, 'unexpected-type');
      const address = answer.kind === 'ack' ? answer.lease.address : answer.address;
      if (isOtherAddress(config, address.address)) return ignore(state, 'other-address');
      if (answer.kind === 'ack') {
        const invited = answer.rapid && config.rapidCommit;
        return invited ? stay({ kind: 'bound', lease: answer.lease }) : ignore(state, 'unexpected-type');
      }
      const acquisition = { ...state.acquisition, offers: state.acquisition.offers + 1 };
      const from = {
        acquisition,
        xid: state.xid,
        address,
        serverId: answer.serverId,
        requestedAt: env.now,
        // If it took the broadcast bit to hear the OFFER, it takes it to hear the ACK.
        broadcast: wantsBroadcast(config, state.tries - 1),
      };
      return request(config, from, 0, env);
    }
    case 'requesting':
    case 'rebooting': {
      if (answer.kind === 'offer') return ignore(state, 'unexpected-type');
      const from = answer.kind === 'ack' ? answer.lease.serverId : answer.serverId;
      if (state.kind === 'requesting' && from !== undefined && from !== state.serverId) {
        return ignore(state, 'other-server');
      }
      if (answer.kind === 'nak') return refuse(config, state.acquisition, answer.text, env);
      if (isOtherAddress(config, answer.lease.address.address)) return ignore(state, 'other-address');
      return stay({ kind: 'bound', lease: answer.lease });
    }
    case 'renewing':
    case 'rebinding': {
      if (answer.kind === 'offer') return ignore(state, 'unexpected-type');
      const from = answer.kind === 'ack' ? answer.lease.serverId : answer.serverId;
      // A failover partner may answer for the server that was asked; a NAK must come from the server that was asked.
      if (answer.kind === 'ack') return stay({ kind: 'bound', lease: answer.lease });
      if (state.kind === 'renewing' && from !== undefined && from !== state.lease.serverId) {
        return ignore(state, 'other-server');
      }
      return refuse(config, newAcquisition(env.now), answer.text, env);
    }
    case 'init':
    case 'bound':
    case 'waiting':
    case 'stopped':
      return ignore(state, 'unexpected-type');
    default:
      return unreachable(state);
  }
}

function onMessage(config: Dhcp4Config, state: Dhcp4State, message: Dhcp4Message, env: Env): Step {
  if (!('xid' in state)) return ignore(state, 'unexpected-type');
  const requestedAt = 'requestedAt' in state ? state.requestedAt : env.now;
  const answer = acceptMessage(config, state.xid, requestedAt, message);
  return answer.ok ? onAnswer(config, state, answer.value, env) : ignore(state, answer.error);
}

function onRelease(config: Dhcp4Config, state: Dhcp4State, env: Env): Step {
  const held = heldBy(state);
  if (held === undefined) return stay({ kind: 'stopped' });
  const { serverId, address } = held;
  const via: Via = { kind: 'unicast', from: address.address, to: serverId };
  const message = buildRelease(config, newXid(env), { address: address.address, serverId });
  return stay({ kind: 'stopped' }, tell(message, via));
}

function onConflict(config: Dhcp4Config, state: Dhcp4State, env: Env): Step {
  const lease = leaseOf(state);
  if (lease === undefined) return stay(state);
  const pause: Dhcp4State = {
    kind: 'waiting',
    acquisition: newAcquisition(env.now),
    until: later(env.now, DECLINE_PAUSE),
  };
  return stay(pause, tell(buildDecline(config, newXid(env), lease, 'address in use'), BROADCAST));
}

function transition(config: Dhcp4Config, state: Dhcp4State, event: Dhcp4Event, env: Env): Step {
  switch (event.type) {
    case 'start': {
      if (state.kind !== 'init') return stay(state);
      const acquisition = newAcquisition(env.now);
      const address = config.requestedAddress;
      if (address === undefined) return seek(config, acquisition, env);
      return reboot(config, { acquisition, xid: newXid(env), address, requestedAt: env.now }, 0, env);
    }
    case 'wake':
      return onWake(config, state, env);
    case 'message':
      return onMessage(config, state, event.message, env);
    case 'conflict':
      return onConflict(config, state, env);
    case 'release':
      return onRelease(config, state, env);
    default:
      return unreachable(event);
  }
}

/** Install, extend and withdraw follow from what was held before and after, so no transition can forget them. */
function leaseEffects(before: Lease4 | undefined, after: Lease4 | undefined): Dhcp4Effect[] {
  if (before === after) return [];
  if (before === undefined) return after === undefined ? [] : [{ type: 'install', lease: after }];
  if (after === undefined) return [{ type: 'withdraw', lease: before }];
  if (sameConfiguration(before, after)) return [{ type: 'extend', lease: after }];
  const moved = before.address.address !== after.address.address;
  return [
    ...(moved ? [{ type: 'withdraw', lease: before } as const] : []),
    { type: 'install', lease: after },
  ];
}

/**
 * One step of the DHCPv4 client (RFC 2131 4.4): no I/O, no clock, no randomness of its own. The effects are to be
 * carried out in order; the state is to be stored before a lease in it is used.
 */
export function step(config: Dhcp4Config, state: Dhcp4State, event: Dhcp4Event, env: Env): Step {
  const next = transition(config, state, event, env);
  return {
    state: next.state,
    effects: [...next.effects, ...leaseEffects(leaseOf(state), leaseOf(next.state))],
  };
}

/** When this state wants its next `wake`; undefined when only a message or the owner can move it. */
export function wakeAt(state: Dhcp4State): Instant | undefined {
  switch (state.kind) {
    case 'selecting':
    case 'requesting':
    case 'rebooting':
      return state.resendAt;
    case 'renewing':
    case 'rebinding':
      return state.lease.times === undefined
        ? undefined
        : earliest(state.resendAt, state.lease.times.expiresAt);
    case 'bound':
      return state.lease.times?.renewAt;
    case 'waiting':
      return state.until;
    case 'init':
    case 'stopped':
      return undefined;
    default:
      return unreachable(state);
  }
}
