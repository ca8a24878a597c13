import type { Duration, Instant } from '../base/time.ts';

/** Hears what becomes of one GET. Nothing is called any more after `ended`, nor after the GET was cancelled. */
export type AnswerTaker = {
  /** HTTP status, and the seconds of Retry-After as a length of time. Once, first. */
  readonly head: (status: number, retryAfter: Duration | undefined) => void;
  readonly data: (chunk: Uint8Array) => void;
  /** Undefined: the answer is whole. Else why it is not. */
  readonly ended: (why: string | undefined) => void;
};

/** One GET of a path; gives what cancels it. Nothing is called back within the call. */
export type OpenAnswer = (path: string, taker: AnswerTaker) => () => void;

/** What a machine of this layer sees of the world. */
export type KubeWorld = {
  readonly open: OpenAnswer;
  readonly clock: { now(): Instant };
  readonly timers: { at(at: Instant, callback: () => void): () => void };
  /** At least 0 and under 1. */
  readonly random: () => number;
};
