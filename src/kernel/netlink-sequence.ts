import { randomInt } from 'node:crypto';
import { encodeBpf, netlinkAnswersProgram } from '../wire/bpf.ts';
import { attachFilter } from './packet-socket.ts';

const COUNTER_BITS = 16;
const COUNTER_MASK = 0xffff;
/** Never 0: that is the number of what nobody has asked for. */
const LOWEST_SECRET = 1;
const SECRETS_END = 0x1_0000;

/**
 * The sequence numbers of one netlink socket, which the kernel repeats in its answers: the upper half is a secret of the
 * socket, the lower half counts. Who may administer the network of a container may send messages to any netlink socket
 * in it, and so fill its receive buffer until the kernel's answers are lost. A filter of the socket lets in only what has
 * its secret: a stranger hits it with one message of 65,535, and everything else costs the stranger's time.
 */
export class SequenceNumbers {
  readonly #upper: number;
  #counter = 0;

  private constructor(secret: number) {
    this.#upper = secret << COUNTER_BITS;
  }

  /** Puts the filter on. From then on the socket hears answers to these numbers and nothing else. Throws SysError. */
  static guarding(op: string, fd: number): SequenceNumbers {
    const secret = randomInt(LOWEST_SECRET, SECRETS_END);
    attachFilter(op, fd, encodeBpf(netlinkAnswersProgram(secret)));
    return new SequenceNumbers(secret);
  }

  /** Counts on, and begins again after 65,536: far more than are ever under way at once. */
  next(): number {
    this.#counter = (this.#counter + 1) & COUNTER_MASK;
    return (this.#upper | this.#counter) >>> 0;
  }
}
