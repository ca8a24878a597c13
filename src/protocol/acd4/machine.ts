import { unreachable } from '../../base/invariant.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { between, type Duration, type Instant, later, millis, seconds } from '../../base/time.ts';
import type { ArpPacket } from '../../wire/arp.ts';
import { announcement, claims, probe, seeks } from './packets.ts';

// Address conflict detection (RFC 5227), as a machine without clock, sockets or randomness of its own.
//
// MAX_CONFLICTS and RATE_LIMIT_INTERVAL (RFC 5227 2.1.1: after ten conflicts one new address a minute) are held by the
// DHCP client (protocol/dhcp4/client.ts), because this machine knows one address and that one seeks the next.

/** RFC 5227 1.1. */
const PROBE_WAIT = seconds(1);
const PROBE_NUM = 3;
const PROBE_MIN = seconds(1);
const PROBE_MAX = seconds(2);
const ANNOUNCE_WAIT = seconds(2);
export const DEFEND_INTERVAL = seconds(10);

/** Of mode `before`: on a LAN, who has an address answers within a few milliseconds, and a container waits. */
const QUICK_PROBE_PAUSE = millis(100);

/**
 * - background: with the times of RFC 5227, 4 to 7 s, while the address is in use already
 * - before: three probes in 300 ms, before the address is used
 */
export type ProbeMode = 'background' | 'before';

/** The address that is looked after, and the MAC of its own interface: what comes from that is never a conflict. */
export type Acd4Config = { readonly address: Ipv4; readonly mac: Mac };

export type Acd4State =
  | { readonly kind: 'idle' }
  /** `sent` probes are out; at `nextAt` the next one goes, or after the last one the address is free. */
  | { readonly kind: 'probing'; readonly mode: ProbeMode; readonly sent: number; readonly nextAt: Instant }
  /** In use. `defendedAt`: when it was last defended. */
  | { readonly kind: 'watching'; readonly defendedAt: Instant | undefined }
  /** The end: the address is somebody else's. */
  | { readonly kind: 'conflict'; readonly by: Mac };

export type Acd4Event =
  /** Begin to probe, or begin again. */
  | { readonly type: 'probe'; readonly mode: ProbeMode }
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
  return state.kind === 'probing' ? state.nextAt : undefined;
}

export function step(config: Acd4Config, state: Acd4State, event: Acd4Event, env: Acd4Env): Acd4Step {
  switch (event.type) {
    case 'probe':
      return begin(config, event.mode, env);
    case 'watch':
      return to({ kind: 'watching', defendedAt: undefined });
    case 'wake':
      return state.kind === 'probing' && env.now >= state.nextAt ? goOn(config, state, env) : to(state);
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

function begin(config: Acd4Config, mode: ProbeMode, env: Acd4Env): Acd4Step {
  // Many containers of a node that starts must not probe all at once; a container that waits must not wait for that.
  const wait = mode === 'before' ? millis(0) : fraction(PROBE_WAIT, env);
  const state: Probing = { kind: 'probing', mode, sent: 0, nextAt: later(env.now, wait) };
  return mode === 'before' ? goOn(config, state, env) : to(state);
}

function goOn(config: Acd4Config, state: Probing, env: Acd4Env): Acd4Step {
  const { mode } = state;
  if (state.sent === PROBE_NUM) return settle(config, mode);
  const sent = state.sent + 1;
  const nextAt = later(env.now, pauseAfter(sent, mode, env));
  return to(
    { kind: 'probing', mode, sent, nextAt },
    { type: 'send', packet: probe(config.address, config.mac) },
  );
}

function pauseAfter(sent: number, mode: ProbeMode, env: Acd4Env): Duration {
  if (mode === 'before') return QUICK_PROBE_PAUSE;
  if (sent === PROBE_NUM) return ANNOUNCE_WAIT;
  return millis(PROBE_MIN + fraction(millis(PROBE_MAX - PROBE_MIN), env));
}

function fraction(whole: Duration, env: Acd4Env): Duration {
  return millis(Math.floor(whole * env.random()));
}

/**
 * RFC 5227 2.3 wants ANNOUNCE_NUM, two, announcements. The first is made when the address is configured. After background
 * probes, seconds later, this is the second: the first may have met a switch port that did not forward yet. After `before`
 * the address is not configured yet, and is announced at once when it is.
 */
function settle(config: Acd4Config, mode: ProbeMode): Acd4Step {
  const state: Acd4State = { kind: 'watching', defendedAt: undefined };
  if (mode === 'before') return to(state, { type: 'clear' });
  const packet = announcement(config.address, config.mac);
  return to(state, { type: 'send', packet }, { type: 'clear' });
}

function hear(config: Acd4Config, state: Acd4State, packet: ArpPacket, env: Acd4Env): Acd4Step {
  const { address, mac } = config;
  const by = packet.senderMac;
  switch (state.kind) {
    case 'probing':
      // Another's probe (RFC 5227 2.1.1) ends `before`. An address in use is another matter: the kernel answers the
      // probe, and who sent it stops. Switches that track devices probe so too, and want no address.
      return claims(packet, address, mac) || (state.mode === 'before' && seeks(packet, address, mac))
        ? to({ kind: 'conflict', by }, { type: 'conflict', by })
        : to(state);
    case 'watching':
      return claims(packet, address, mac) ? defend(config, state.defendedAt, by, env) : to(state);
    case 'idle':
    case 'conflict':
      return to(state);
    default:
      return unreachable(state);
  }
}

/** RFC 5227 2.4 (b): once, and who does not let go of it then has it. */
function defend(config: Acd4Config, defendedAt: Instant | undefined, by: Mac, env: Acd4Env): Acd4Step {
  if (defendedAt !== undefined && between(defendedAt, env.now) < DEFEND_INTERVAL) {
    return to({ kind: 'conflict', by }, { type: 'conflict', by });
  }
  return to(
    { kind: 'watching', defendedAt: env.now },
    { type: 'send', packet: announcement(config.address, config.mac) },
    { type: 'defended', by },
  );
}
