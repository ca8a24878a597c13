import { IPV4_ANY, type Ipv4 } from '../base/ipv4.ts';
import { BROADCAST_MAC } from '../base/mac.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { type Dhcp4State, heldBy, leaseOf } from '../protocol/dhcp4/state.ts';
import type { Via } from '../protocol/dhcp4/step.ts';
import { type Dhcp4Message, emitDhcp4 } from '../wire/dhcp4/message.ts';
import type { Exchange } from './exchange.ts';
import type { LeaseHands } from './hands.ts';
import { nextHop } from './host-release.ts';
import type { Send } from './parting.ts';
import type { LeaseWorld } from './ports.ts';
import { keyText, type LeaseIdentity } from './record.ts';
import type { ServerNotes } from './server-notes.ts';

/** What the sender needs to know of the client that it sends for. */
export interface Speaker {
  readonly state: () => Dhcp4State;
  /** Not closed and not given up. */
  readonly lives: () => boolean;
  /** Somebody waits for the first lease. */
  readonly isWaitedFor: () => boolean;
  /** The namespace or the interface is gone: who waits waits in vain. */
  readonly placeGone: (error: SysError) => void;
  /** A message of a pod that runs was not sent: it may be gone. */
  readonly unsent: () => void;
}

export type SenderParts = {
  readonly world: LeaseWorld;
  readonly notes: ServerNotes;
  readonly exchange: Exchange;
  readonly hands: LeaseHands;
};

/** Sends what the machine of one lease has to say. */
export class Sender {
  readonly #parts: SenderParts;
  readonly #identity: LeaseIdentity;
  readonly #speaker: Speaker;

  constructor(parts: SenderParts, identity: LeaseIdentity, speaker: Speaker) {
    this.#parts = parts;
    this.#identity = identity;
    this.#speaker = speaker;
  }

  /**
   * What is sent without a lease waits until the lost address is off the interface: once a server has heard it, somebody else
   * may get that address, or be asked for it first by ping or ARP, and the pod would answer. (The source of such a message
   * is 0 in any case, RFC 2131 4.1: the IP header is ours, and no kernel puts an address into it.)
   */
  send(effect: Send): void {
    const { hands } = this.#parts;
    if (!hands.removing || effect.via.from !== IPV4_ANY) {
      this.#sendNow(effect);
      return;
    }
    hands.later('send a message', () => {
      const state = this.#speaker.state();
      const stale = effect.reply && !('xid' in state && state.xid === effect.message.xid);
      if (!stale && this.#speaker.lives()) this.#sendNow(effect);
    });
  }

  #sendNow(effect: Send): void {
    const { world, notes, exchange } = this.#parts;
    const { message, via, reply } = effect;
    world.count('message-sent');
    if (reply) {
      const state = this.#speaker.state();
      const address = leaseOf(state)?.address.address;
      notes.asked(this.#identity.lan?.name, address !== undefined);
      const tries = 'tries' in state ? state.tries : 1;
      const how = { tries, address, isVerified: state.kind === 'verifying', hop: this.#hopOf(state) };
      exchange.ask(emitDhcp4(message), via, how, (error) => this.#failed(error));
      return;
    }
    if (via.kind === 'unicast') {
      this.#release(message, via);
      return;
    }
    const error = exchange.tellAll(emitDhcp4(message), via);
    if (error !== undefined) this.#failed(error);
  }

  #hopOf(state: Dhcp4State): Ipv4 | undefined {
    const held = heldBy(state);
    return held === undefined ? undefined : nextHop({ record: { state }, held });
  }

  /**
   * A RELEASE of a client that lives on: a lease was given, and nobody uses it. It goes back the way that its ACK came,
   * from the server, a relay or the router, for the exchange goes on.
   */
  #release(message: Dhcp4Message, via: Extract<Via, { readonly kind: 'unicast' }>): void {
    const { exchange, world } = this.#parts;
    const error = exchange.tell(emitDhcp4(message), via, via.hop ?? BROADCAST_MAC);
    if (error === undefined) return;
    world.count('release-lost');
    this.#failed(error);
  }

  #failed(error: SysError): void {
    const { world } = this.#parts;
    world.count('send-failed');
    // A namespace or an interface that is gone ends an acquisition; anything else is what the resends are for.
    const gone = isSysError(error, 'ENODEV', 'ENXIO', 'ENOENT', 'ENOTNS');
    // Where a pod runs, its keeper tells of that, and once: an uplink that is away is so for hundreds of pods.
    const isTold = gone || isSysError(error, 'ENETDOWN');
    const level = isTold && !this.#speaker.isWaitedFor() ? 'debug' : 'warn';
    world.log[level](
      { lease: keyText(this.#identity.key), error: error.message },
      'a DHCP message was not sent',
    );
    if (!this.#speaker.isWaitedFor()) this.#speaker.unsent();
    else if (gone) this.#speaker.placeGone(error);
  }
}
