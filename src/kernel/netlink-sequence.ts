const COUNTER_MASK = 0xffff;

/**
 * The sequence numbers of one netlink socket, which the kernel repeats in its answers. Counts on, and begins again after
 * 65,535: far more than are ever under way at once. Never 0: that is the number of what nobody has asked for.
 */
export class SequenceNumbers {
  #last = 0;

  next(): number {
    this.#last = (this.#last % COUNTER_MASK) + 1;
    return this.#last;
  }
}
