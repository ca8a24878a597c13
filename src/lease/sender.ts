import { IPV4_ANY } from '../base/ipv4.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { type Dhcp4State, leaseOf } from '../protocol/dhcp4/state.ts';
import { emitDhcp4 } from '../wire/dhcp4/message.ts';
import type { Exchange, Hearing } from './exchange.ts';
import type { LeaseHands } from './hands.ts';
import type { Inbox } from './inbox.ts';
import { openPodOf } from './pod-of-lease.ts';
import { partFrom, type Send } from './parting.ts';
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
  readonly inbox: Inbox;
  readonly notes: ServerNotes;
  readonly exchange: Exchange;
  readonly hands: LeaseHands;
};

/** Sends what the machine of one lease has to say, each message in the way that it needs. */
export class Sender {
  readonly #parts: SenderParts;
  readonly #identity: LeaseIdentity;
  readonly #speaker: Speaker;

  constructor(parts: SenderParts, identity: LeaseIdentity, speaker: Speaker) {
    this.#parts = parts;
    this.#identity = identity;
    this.#speaker = speaker;
  }

  /** A message without a source address waits until the lost address is off the interface (RFC 2131 4.1). */
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
      const hasAddress = leaseOf(state) !== undefined;
      const tries = 'tries' in state ? state.tries : 0;
      notes.asked(this.#identity.lan?.name, hasAddress);
      // Each try of a renewal has an xid of its own. The server may have moved to a sibling: so by turns.
      const how = { hearing: this.#hearing(tries === 1), hasAddress, byUplink: tries % 2 === 1 };
      exchange.ask(emitDhcp4(message), via, how, (error) => this.#failed(error));
      return;
    }
    if (via.kind === 'unicast') {
      this.#release(effect);
      return;
    }
    const error = exchange.tell(emitDhcp4(message), via);
    if (error !== undefined) this.#failed(error);
  }

  /** A RELEASE of a client that lives on (RFC 8925): from an address that the pod may not have, for the moment. */
  #release(effect: Send): void {
    const { world, exchange, hands } = this.#parts;
    const { index } = this.#identity.link;
    const address = { address: effect.via.from, prefix: 32 };
    hands.later('release the lease', async () => {
      const pod = openPodOf(world, this.#identity);
      try {
        await partFrom(pod, exchange, { index, address }, [effect]);
        await pod.removeAddress(index, address);
      } finally {
        pod.close();
      }
    });
  }

  #failed(error: SysError): void {
    const { world } = this.#parts;
    world.count('send-failed');
    // A namespace or an interface that is gone ends an acquisition; anything else is what the resends are for.
    const gone = isSysError(error, 'ENODEV', 'ENXIO', 'ENOENT', 'ENOTNS');
    // Where a pod runs, its keeper tells of that, and once: an uplink that is away is so for hundreds of pods.
    const level = gone && !this.#speaker.isWaitedFor() ? 'debug' : 'warn';
    world.log[level](
      { lease: keyText(this.#identity.key), error: error.message },
      'a DHCP message was not sent',
    );
    if (!this.#speaker.isWaitedFor()) this.#speaker.unsent();
    else if (gone) this.#speaker.placeGone(error);
  }

  /**
   * The uplink's tap hears the answers: it is the one place where a pod cannot say what only it hears itself. A server on
   * a sibling may answer by broadcast, which never arrives there, from the second try on (the broadcast bit is set then)
   * and to an interface that has an address. (The pod's socket is bound all the time, so that the kernel does not refuse
   * an answer with ICMP port unreachable; it is listened to where there is no tap.)
   */
  #hearing(isFirstTry: boolean): Hearing {
    const state = this.#speaker.state();
    const { uplinkIndex } = this.#identity;
    if (uplinkIndex === undefined || !this.#parts.inbox.hears(uplinkIndex)) return 'socket';
    const unicast = leaseOf(state) === undefined || state.kind === 'renewing';
    return isFirstTry && unicast ? 'tap' : 'siblings';
  }
}
