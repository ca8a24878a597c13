import { unreachable } from '../../base/invariant.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { between, type Duration, type Instant, later, millis, seconds } from '../../base/time.ts';
import type { ArpPacket } from '../../wire/arp.ts';
import { announcement, claims, probe, seeks } from './packets.ts';

// Address conflict detection (RFC 5227), as a machine without clock, sockets or randomness of its own.
//
// MAX_CONFLICTS and RATE_LIMIT_INTERVAL (RFC 5227 2.1.1: after ten conflicts or more one new address a minute) are held by
// the DHCP client (protocol/dhcp4/turn-down.ts), because this machine knows one address and that one seeks the next.

/** RFC 5227 1.1. */
const PROBE_WAIT = seconds(1);
const PROBE_NUM = 3;
const PROBE_MIN = seconds(1);
const PROBE_MAX = seconds(2);
const ANNOUNCE_WAIT = seconds(2);
/** Of ANNOUNCE_NUM, two, announcements. */
export const ANNOUNCE_INTERVAL = seconds(2);
export const DEFEND_INTERVAL = seconds(10);

/** Of mode `before`: on a LAN, who has an address answers within a few milliseconds, and a container waits. */
const QUICK_PROBE_PAUSE = millis(100);

/**
 * - background: with the times of RFC 5227, 4 to 7 s, while the address is in use already
 * - before: three probes in 300 ms, before the address is used
 */
export type ProbeMode = 'background' | 'before';

/**
 * The address that is looked after, and the MAC of its own interface: what comes from that is never a conflict. What comes
 * from the host's other interfaces is none either (RFC 5227 2.4): the owner knows those, and keeps it away.
 */
export type Acd4Config = { readonly address: Ipv4; readonly mac: Mac };

export type Acd4State =
  | { readonly kind: 'idle' }
  /** `sent` probes are out; at `nextAt` the next one goes, or after the last one the address is free. */
  | {
      readonly kind: 'probing';
      readonly mode: ProbeMode;
      readonly announced: boolean;
      readonly sent: number;
      readonly nextAt: Instant;
    }
  /** In use. `defendedAt`: when it was last defended; `announceAt`: when its second announcement is made. */
  | {
      readonly kind: 'watching';
      readonly defendedAt: Instant | undefined;
      readonly announceAt: Instant | undefined;
    }
  /** The end: the address is somebody else's. */
  | { readonly kind: 'conflict'; readonly by: Mac };

export type Acd4Event =
  /**
   * Begin to probe, or begin again. `announced`: somebody else announces the address, as whoever puts it into use does;
   * after the probes of `before` that is always so, for it is not in use until they are over.
   */
  | { readonly type: 'probe'; readonly mode: ProbeMode; readonly announced: boolean }
  /** The address is in use and was looked at before. */
  | { readonly type: 'watch' }
  /** The time of `wakeAt` has come; an early or a second one changes nothing. */
  | { readonly type: 'wake' }
  | { readonly type: 'packet'; readonly packet: ArpPacket };

export type Acd4Effect =
  /** To everybody on the link. */
  | { readonly type: 'send'; readonly packet: ArpPacket }
  /** Nobody else has the address: probing is over. */
  | { readonly type: 'clear' }
  /** The address must not be used (any more). */
  | { readonly type: 'conflict'; readonly by: Mac }
  /** Somebody claims the address that is in use, and was told so. */
  | { readonly type: 'defended'; readonly by: Mac };

/** The world as this step sees it: the time, and numbers in [0, 1). */
export type Acd4Env = { readonly now: Instant; readonly random: () => number };

export type Acd4Step = { readonly state: Acd4State; readonly effects: readonly Acd4Effect[] };

/** When this state wants its next `wake`; undefined when only a packet or the owner can move it. */
export function wakeAt(state: Acd4State): Instant | undefined {
  if (state.kind === 'watching') return state.announceAt;
  return state.kind === 'probing' ? state.nextAt : undefined;
}

export function step(config: Acd4Config, state: Acd4State, event: Acd4Event, env: Acd4Env): Acd4Step {
  switch (event.type) {
    case 'probe':
      return begin(config, event, env);
    case 'watch':
      return to(WATCHING);
    case 'wake':
      return env.now >= (wakeAt(state) ?? Infinity) ? goOn(config, state, env) : to(state);
    case 'packet':
      return hear(config, state, event.packet, env);
    default:
      return unreachable(event);
  }
}

function to(state: Acd4State, ...effects: readonly Acd4Effect[]): Acd4Step {
  return { state, effects };
}

type Probing = Extract<Acd4State, { readonly kind: 'probing' }>;
type Watching = Extract<Acd4State, { readonly kind: 'watching' }>;

const WATCHING: Watching = { kind: 'watching', defendedAt: undefined, announceAt: undefined };

function begin(
  config: Acd4Config,
  { mode, announced }: Extract<Acd4Event, { readonly type: 'probe' }>,
  env: Acd4Env,
): Acd4Step {
  // Many containers of a node that starts must not probe all at once; a container that waits must not wait for that.
  const wait = mode === 'before' ? millis(0) : fraction(PROBE_WAIT, env);
  const state: Probing = { kind: 'probing', mode, announced, sent: 0, nextAt: later(env.now, wait) };
  return mode === 'before' ? ask(config, state, env) : to(state);
}

function goOn(config: Acd4Config, state: Acd4State, env: Acd4Env): Acd4Step {
  if (state.kind === 'probing')
    return state.sent === PROBE_NUM ? settle(config, state, env) : ask(config, state, env);
  if (state.kind === 'watching')
    return to({ ...state, announceAt: undefined }, { type: 'send', packet: announcementOf(config) });
  return to(state);
}

function ask(config: Acd4Config, state: Probing, env: Acd4Env): Acd4Step {
  const sent = state.sent + 1;
  const nextAt = later(env.now, pauseAfter(sent, state.mode, env));
  return to({ ...state, sent, nextAt }, { type: 'send', packet: probe(config.address, config.mac) });
}

function announcementOf({ address, mac }: Acd4Config): ArpPacket {
  return announcement(address, mac);
}

function pauseAfter(sent: number, mode: ProbeMode, env: Acd4Env): Duration {
  if (mode === 'before') return QUICK_PROBE_PAUSE;
  if (sent === PROBE_NUM) return ANNOUNCE_WAIT;
  return millis(PROBE_MIN + fraction(millis(PROBE_MAX - PROBE_MIN), env));
}

function fraction(whole: Duration, env: Acd4Env): Duration {
  return millis(Math.floor(whole * env.random()));
}

/** The address is announced (RFC 5227 2.3), now and once more, unless somebody else sees to that. */
function settle(config: Acd4Config, { mode, announced }: Probing, env: Acd4Env): Acd4Step {
  if (announced || mode === 'before') return to(WATCHING, { type: 'clear' });
  return to(
    { ...WATCHING, announceAt: later(env.now, ANNOUNCE_INTERVAL) },
    { type: 'send', packet: announcementOf(config) },
    { type: 'clear' },
  );
}

/** Whether somebody else has the address by this packet, or seeks it where that counts. */
export function isConflicting({ address, mac }: Acd4Config, state: Acd4State, packet: ArpPacket): boolean {
  switch (state.kind) {
    case 'probing':
      // Another's probe ends `before` (RFC 5227 2.1.1: SHOULD). An address in use is another matter: the kernel answers
      // the probe (2.5), and who sent it stops. Switches that track devices probe so too, and want no address.
      return claims(packet, address, mac) || (state.mode === 'before' && seeks(packet, address, mac));
    case 'watching':
      return claims(packet, address, mac);
    case 'idle':
    case 'conflict':
      return false;
    default:
      return unreachable(state);
  }
}

function hear(config: Acd4Config, state: Acd4State, packet: ArpPacket, env: Acd4Env): Acd4Step {
  if (!isConflicting(config, state, packet)) return to(state);
  const by = packet.senderMac;
  return state.kind === 'watching'
    ? defend(config, state, by, env)
    : to({ kind: 'conflict', by }, { type: 'conflict', by });
}

/** RFC 5227 2.4 (b): once, and who does not let go of it then has it. */
function defend(config: Acd4Config, state: Watching, by: Mac, env: Acd4Env): Acd4Step {
  const { defendedAt } = state;
  if (defendedAt !== undefined && between(defendedAt, env.now) < DEFEND_INTERVAL) {
    return to({ kind: 'conflict', by }, { type: 'conflict', by });
  }
  return to(
    { ...state, defendedAt: env.now },
    { type: 'send', packet: announcementOf(config) },
    { type: 'defended', by },
  );
}
