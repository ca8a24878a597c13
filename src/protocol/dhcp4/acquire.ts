import type { Ipv4 } from '../../base/ipv4.ts';
import { later } from '../../base/time.ts';
import type { Answer } from './accept.ts';
import { resendDelay } from './backoff.ts';
import {
  buildDiscover,
  buildRebootRequest,
  buildSelectingRequest,
  secsSince,
  wantsBroadcast,
} from './build.ts';
import { type Acquisition, type Dhcp4Config, type Dhcp4State, type Held, newAcquisition } from './state.ts';
import { ask, bind, BROADCAST, type Dhcp4Effect, type Env, ignore, newXid, type Step, to } from './step.ts';

type StateOf<K extends Dhcp4State['kind']> = Extract<Dhcp4State, { readonly kind: K }>;

/** REQUESTs for one offer before it is given up and sought anew: 0.25 + 0.5 + 1 + 2 + 4 s (RFC 2131 3.1 step 5). */
const REQUEST_TRIES = 5;
/** REQUESTs of INIT-REBOOT before DISCOVER: servers that don't know the client stay silent (RFC 2131 4.3.2). */
const REBOOT_TRIES = 3;

/** The transaction id stays the same for all DISCOVERs of one search: a slow server's OFFER must still fit (4.1). */
function discover(config: Dhcp4Config, acquisition: Acquisition, xid: number, tries: number, env: Env): Step {
  const secs = secsSince(acquisition.since, env.now);
  const message = buildDiscover(config, { xid, secs, broadcast: wantsBroadcast(config, tries) });
  const state: StateOf<'selecting'> = {
    kind: 'selecting',
    acquisition: { ...acquisition, discovers: acquisition.discovers + 1 },
    xid,
    secs,
    requestedAt: env.now,
    tries: tries + 1,
    resendAt: later(env.now, resendDelay(tries, env.random)),
  };
  return to(state, ask(message, BROADCAST));
}

/** INIT (RFC 2131 4.4.1). */
export function seek(config: Dhcp4Config, acquisition: Acquisition, env: Env): Step {
  return discover(config, acquisition, newXid(env), 0, env);
}

type Chosen = Omit<StateOf<'requesting'>, 'kind' | 'tries' | 'resendAt'>;

/** The REQUEST after an OFFER, first and again: always with the xid and the secs of the DISCOVER (RFC 2131 3.1, 4.4.1). */
function request(config: Dhcp4Config, chosen: Chosen, tries: number, env: Env): Step {
  const { acquisition, xid, secs, address, serverId, requestedAt } = chosen;
  const broadcast = chosen.broadcast || wantsBroadcast(config, tries);
  const message = buildSelectingRequest(
    config,
    { xid, secs, broadcast },
    { address: address.address, serverId },
  );
  const state: StateOf<'requesting'> = {
    kind: 'requesting',
    acquisition: { ...acquisition, requests: acquisition.requests + 1, asked: { address, serverId } },
    xid,
    secs,
    address,
    serverId,
    requestedAt,
    broadcast,
    tries: tries + 1,
    resendAt: later(env.now, resendDelay(tries, env.random)),
  };
  return to(state, ask(message, BROADCAST));
}

type Remembered = Omit<StateOf<'rebooting'>, 'kind' | 'tries' | 'resendAt'>;

function reboot(config: Dhcp4Config, from: Remembered, tries: number, env: Env): Step {
  const { acquisition, xid, address, requestedAt } = from;
  const at = { xid, secs: secsSince(acquisition.since, env.now), broadcast: wantsBroadcast(config, tries) };
  const state: StateOf<'rebooting'> = {
    kind: 'rebooting',
    acquisition: { ...acquisition, requests: acquisition.requests + 1 },
    xid,
    address,
    requestedAt,
    tries: tries + 1,
    resendAt: later(env.now, resendDelay(tries, env.random)),
  };
  return to(state, ask(buildRebootRequest(config, at, address), BROADCAST));
}

/** INIT, or INIT-REBOOT where an address is asked for (RFC 2131 4.4.1, 4.4.2). */
export function start(config: Dhcp4Config, env: Env): Step {
  const acquisition = newAcquisition(env.now);
  const address = config.requestedAddress;
  if (address === undefined) return seek(config, acquisition, env);
  return reboot(config, { acquisition, xid: newXid(env), address, requestedAt: env.now }, 0, env);
}

/** Sends again what got no answer, or gives it up. The caller has looked at the time. */
export function resend(
  config: Dhcp4Config,
  state: StateOf<'selecting' | 'requesting' | 'rebooting'>,
  env: Env,
): Step {
  switch (state.kind) {
    case 'selecting':
      return discover(config, state.acquisition, state.xid, state.tries, env);
    case 'requesting':
      // RFC 2131 3.1 step 5: neither ACK nor NAK, back to INIT.
      return state.tries < REQUEST_TRIES
        ? request(config, state, state.tries, env)
        : seek(config, state.acquisition, env);
    case 'rebooting':
      return state.tries < REBOOT_TRIES
        ? reboot(config, state, state.tries, env)
        : seek(config, state.acquisition, env);
  }
}

/**
 * A NAK: begin again (RFC 2131 3.1 step 5, 3.2 step 3, figure 5), at once after the first, ever later after further
 * ones so that a NAK storm stays a breeze.
 */
export function refuse(
  config: Dhcp4Config,
  acquisition: Acquisition,
  text: string | undefined,
  env: Env,
): Step {
  const next = { ...acquisition, naks: acquisition.naks + 1, nakText: text, asked: undefined };
  const refused: Dhcp4Effect = { type: 'refused', text };
  if (next.naks > 1) {
    const until = later(env.now, resendDelay(next.naks, env.random));
    return to({ kind: 'waiting', acquisition: next, until }, refused);
  }
  const again = seek(config, next, env);
  return to(again.state, refused, ...again.effects);
}

/** Who asks for an address by name (a static reservation, a runtime's `ips`) is not served by another one. */
export function isOtherAddress(config: Dhcp4Config, address: Ipv4): boolean {
  return config.requestedAddress !== undefined && config.requestedAddress !== address;
}

/** SELECTING: the first acceptable OFFER is taken (RFC 2131 4.4.1 leaves the choice open). */
export function onOffer(config: Dhcp4Config, state: StateOf<'selecting'>, answer: Answer, env: Env): Step {
  if (answer.kind === 'nak') return ignore(state, 'unexpected-type');
  // RFC 2131 4.4.1: an ACK is discarded here, unless rapid commit was offered and is in it (RFC 4039 3.1).
  if (answer.kind === 'ack' && !(answer.rapid && config.rapidCommit)) return ignore(state, 'unexpected-type');
  const address = answer.kind === 'ack' ? answer.lease.address : answer.address;
  if (isOtherAddress(config, address.address)) return ignore(state, 'other-address');
  if (answer.kind === 'ack') return bind(answer.lease, env);
  const { acquisition, xid, secs } = state;
  const chosen: Held = { address, serverId: answer.serverId };
  const from = {
    ...chosen,
    acquisition: { ...acquisition, offers: acquisition.offers + 1 },
    xid,
    secs,
    requestedAt: env.now,
    // If it took the broadcast bit to hear the OFFER, it takes it to hear the ACK.
    broadcast: wantsBroadcast(config, state.tries - 1),
  };
  return request(config, from, 0, env);
}

/** REQUESTING and REBOOTING: ACK binds, NAK begins again, further OFFERs are discarded (RFC 2131 figure 5). */
export function onVerdict(
  config: Dhcp4Config,
  state: StateOf<'requesting' | 'rebooting'>,
  answer: Answer,
  env: Env,
): Step {
  if (answer.kind === 'offer') {
    return ignore(state, state.kind === 'requesting' ? 'offer-not-chosen' : 'unexpected-type');
  }
  const from = answer.kind === 'ack' ? answer.lease.serverId : answer.serverId;
  // RFC 2131 3.1 step 4: only the selected server answers; another one's word is not about our offer.
  if (state.kind === 'requesting' && from !== state.serverId) return ignore(state, 'other-server');
  if (answer.kind === 'nak') return refuse(config, state.acquisition, answer.text, env);
  if (isOtherAddress(config, answer.lease.address.address)) return ignore(state, 'other-address');
  return bind(answer.lease, env);
}
