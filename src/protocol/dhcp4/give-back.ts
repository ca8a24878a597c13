import { isHostIpv4, type Ipv4 } from '../../base/ipv4.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { acceptMessage, type Answer, type Granted, grantedBy } from './accept.ts';
import { discoverNext, seekAgain } from './acquire.ts';
import { type Asking, buildRelease } from './build.ts';
import { afterRefusal } from './habit.ts';
import { asSpoken, offeredRapid } from './manner.ts';
import type { IgnoreReason } from './reasons.ts';
import type { Source } from './source.ts';
import { type Acquisition, type Dhcp4Config, type Dhcp4State, MOST_RETURNED, type StateOf } from './state.ts';
import { type Dhcp4Effect, type Env, ignore, newXid, type Step, tell, to } from './step.ts';
import { decline, pause, turnDownAck } from './turn-down.ts';

/** For the server's log: option 56 SHOULD be in a RELEASE and a DECLINE (RFC 2131 table 5). */
const NOT_ACCEPTED = 'not accepted';
/** The address of one host (RFC 4632 3.1). */
const HOST_PREFIX = 32;

/** The RELEASE of a lease that is not used, by the way that its ACK came. */
export function release(asking: Asking, { address, serverId, source }: Granted, env: Env): Dhcp4Effect {
  const message = buildRelease(asking, newXid(env), { address, serverId }, NOT_ACCEPTED);
  return tell(message, { kind: 'unicast', from: address, to: serverId, hop: source?.mac });
}

type Telling = {
  readonly told: 'DHCPRELEASE' | 'DHCPDECLINE' | undefined;
  readonly effects: readonly Dhcp4Effect[];
};

/**
 * What the server is told. An address that no host could use here is declined (RFC 2131 figure 5: "not accept."), so
 * that the server takes another one. Any other is released (4.4.6), for a DECLINE makes a server keep a good address back.
 * What is no address at all grants nothing.
 */
function tellServer(
  config: Dhcp4Config,
  state: Dhcp4State,
  granted: Granted,
  reason: IgnoreReason,
  env: Env,
): Telling {
  const { address, serverId: server } = granted;
  const note = (told: Telling['told']): Dhcp4Effect => ({
    type: 'not-accepted',
    address,
    server,
    reason,
    told,
  });
  if (!isHostIpv4(address)) return { told: undefined, effects: [note(undefined)] };
  if (reason !== 'bad-address') {
    const effects = [note('DHCPRELEASE'), release(asSpoken(config, state), granted, env)];
    return { told: 'DHCPRELEASE', effects };
  }
  const declined = decline(config, state, granted, `${NOT_ACCEPTED}: ${reason}`, env);
  return { told: 'DHCPDECLINE', effects: [note('DHCPDECLINE'), declined] };
}

/** Whether nothing was said yet of this lease for this transaction, nor of too many others. */
function isNew({ returned }: Acquisition, { address, serverId }: Granted, xid: number): boolean {
  const before = returned.filter((one) => one.xid === xid);
  const isKnown = before.some((one) => one.address === address && one.serverId === serverId);
  return !isKnown && before.length < MOST_RETURNED;
}

/** Whether the ACK of a server that was not chosen has committed a lease to our DISCOVER (RFC 4039 3). */
function hasCommitted(
  config: Dhcp4Config,
  { acquisition, xid }: StateOf<'selecting' | 'requesting'>,
  granted: Granted,
  discovers: number,
): boolean {
  return granted.rapid && offeredRapid(config, acquisition, discovers) && isNew(acquisition, granted, xid);
}

/** The account of a search in which a lease was not taken. */
function noted(acquisition: Acquisition, granted: Granted, xid: number, { told }: Telling): Acquisition {
  const { address, serverId } = granted;
  const released = told === 'DHCPRELEASE';
  const returned = [...acquisition.returned, { address, serverId, xid, released }].slice(-MOST_RETURNED);
  return { ...acquisition, returned, releases: acquisition.releases + (released ? 1 : 0) };
}

/**
 * An ACK that is not accepted for `reason`: its server has committed the lease, and would hold it to its end. So it is
 * told, and the client goes on: to other answers of the same DISCOVER, or to INIT, at once after the first and ever
 * later after further ones (see `refuse`). A lease in use stays in use.
 */
export function refuseAck(
  config: Dhcp4Config,
  state: Dhcp4State,
  granted: Granted,
  reason: IgnoreReason,
  env: Env,
): Step {
  switch (state.kind) {
    case 'selecting':
      return hasCommitted(config, state, granted, state.tries)
        ? refuseCommitted(config, state, granted, reason, env)
        : ignore(state, reason);
    case 'requesting':
    case 'rebooting':
      return refuseAnswer(config, state, granted, reason, env);
    case 'renewing':
    case 'rebinding':
    case 'verifying':
      return refuseExtension(config, state, granted, reason, env);
    case 'init':
    case 'bound':
    case 'waiting':
    case 'ipv6-only':
    case 'stopped':
      return ignore(state, reason);
  }
}

/** One that somebody else has is a matter of its own, also where it is not wanted anyway. */
function asHeld(
  config: Dhcp4Config,
  state: Dhcp4State,
  { address, serverId }: Granted,
  env: Env,
): Step | undefined {
  const objection = env.objectionTo?.(address);
  if (objection === undefined) return undefined;
  const held = { address: { address, prefix: HOST_PREFIX }, serverId };
  return turnDownAck(config, state, held, objection, env);
}

/** Rapid commit: others may answer the same DISCOVER. The next one does not offer it (see `discoverManner`). */
function refuseCommitted(
  config: Dhcp4Config,
  state: StateOf<'selecting'>,
  granted: Granted,
  reason: IgnoreReason,
  env: Env,
): Step {
  const held = asHeld(config, state, granted, env);
  if (held !== undefined) return held;
  const ignored = ignore(state, reason);
  const telling = tellServer(config, state, granted, reason, env);
  const effects = [...ignored.effects, ...telling.effects];
  const acquisition = noted(accountOf(ignored.state, state), granted, state.xid, telling);
  if (telling.told === 'DHCPDECLINE') return to(pauseAfter(acquisition, env), ...effects);
  const next = { ...state, acquisition };
  if (state.tries > 1) return to(next, ...effects);
  const again = discoverNext(config, next, env);
  return to(again.state, ...effects, ...again.effects);
}

/** What a server of several has committed, and another one was chosen: the choice stands. */
export function refuseOther(
  config: Dhcp4Config,
  state: StateOf<'requesting'>,
  granted: Granted,
  env: Env,
): Step {
  const ignored = ignore(state, 'other-server', granted.serverId);
  const isHeld =
    granted.address === state.address.address || env.objectionTo?.(granted.address) !== undefined;
  // All DISCOVERs that may have offered rapid commit.
  if (isHeld || !hasCommitted(config, state, granted, Infinity)) return ignored;
  const telling = tellServer(config, state, granted, 'other-server', env);
  const acquisition = noted(accountOf(ignored.state, state), granted, state.xid, telling);
  return to({ ...state, acquisition }, ...ignored.effects, ...telling.effects);
}

/**
 * Another server has answered the DISCOVER that was answered by rapid commit, with a lease of its own: the first one is
 * in use. The same address from both is one lease (failover).
 */
export function onOtherServer(
  config: Dhcp4Config,
  state: StateOf<'bound'>,
  message: Dhcp4Message,
  source: Source | undefined,
  env: Env,
): Step {
  const { lease, others } = state;
  const ignored = ignore(state, 'unexpected-type');
  if (others === undefined) return ignored;
  const { xid } = others;
  const { acquiredAt: requestedAt } = lease;
  const question = { xid, requestedAt, lease: undefined, isUnicast: false, protect: env.protect };
  const answer = acceptMessage(asSpoken(config, state), question, message, source);
  const granted = answer.ok ? ackOf(answer.value) : answer.error.granted;
  if (granted === undefined || !granted.rapid) return ignored;
  const { address, serverId } = granted;
  const isOurs = serverId === lease.serverId || address === lease.address.address;
  const isKnown = others.heard.includes(serverId) || others.heard.length >= MOST_RETURNED;
  if (isOurs || isKnown || env.objectionTo?.(address) !== undefined) return ignored;
  const reason = answer.ok ? 'other-server' : answer.error.reason;
  const { effects } = tellServer(config, state, granted, reason, env);
  const heard = [...others.heard, serverId];
  return to(
    { ...state, others: { ...others, heard } },
    ...ignore(state, reason, serverId).effects,
    ...effects,
  );
}

function ackOf(answer: Answer): Granted | undefined {
  return answer.kind === 'ack' ? grantedBy(answer) : undefined;
}

function refuseAnswer(
  config: Dhcp4Config,
  state: StateOf<'requesting' | 'rebooting'>,
  granted: Granted,
  reason: IgnoreReason,
  env: Env,
): Step {
  if (state.kind === 'requesting' && granted.serverId !== state.serverId) {
    return reason === 'bad-address'
      ? ignore(state, 'other-server', granted.serverId)
      : refuseOther(config, state, granted, env);
  }
  const held = asHeld(config, state, granted, env);
  if (held !== undefined) return held;
  const ignored = ignore(state, reason);
  const telling = tellServer(config, state, granted, reason, env);
  const effects = [...ignored.effects, ...telling.effects];
  const before = noted(accountOf(ignored.state, state), granted, state.xid, telling);
  const acquisition: Acquisition = {
    ...before,
    unaccepted: before.unaccepted + 1,
    habit: afterRefusal(before.habit),
    hint: withoutRefused(before.hint, granted),
    asked: undefined,
  };
  return telling.told === 'DHCPDECLINE'
    ? to(pauseAfter(acquisition, env), ...effects)
    : seekAgain(config, acquisition, acquisition.unaccepted, effects, env);
}

/**
 * An answer for the address in use is no reason to give that back: it is asked for again in its time. A good answer of
 * another server is still taken.
 */
function refuseExtension(
  config: Dhcp4Config,
  state: StateOf<'renewing' | 'rebinding' | 'verifying'>,
  granted: Granted,
  reason: IgnoreReason,
  env: Env,
): Step {
  const ignored = ignore(state, reason);
  const { lease, gaveBack } = state;
  if (gaveBack === true || granted.address === lease.address.address || !isHostIpv4(granted.address))
    return ignored;
  const held = asHeld(config, state, granted, env);
  if (held !== undefined) return held;
  const { effects } = tellServer(config, state, granted, reason, env);
  return to({ ...state, gaveBack: true }, ...ignored.effects, ...effects);
}

function accountOf(ignored: Dhcp4State, before: { readonly acquisition: Acquisition }): Acquisition {
  return 'acquisition' in ignored ? ignored.acquisition : before.acquisition;
}

function pauseAfter(acquisition: Acquisition, env: Env): StateOf<'waiting'> {
  return pause(acquisition, { told: true, earlier: 0 }, env);
}

function withoutRefused(hint: Ipv4 | undefined, { address }: Granted): Ipv4 | undefined {
  return hint === address ? undefined : hint;
}
