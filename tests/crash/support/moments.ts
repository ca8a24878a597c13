/**
 * When a daemon is ended: a time after its start, a time after it is ready, or right at one of its calls (moment.c).
 */
export type Moment =
  | { readonly kind: 'starting' | 'ready'; readonly afterMs: number }
  | { readonly kind: 'call'; readonly at: string };

/** SEED=... repeats a run, as far as two processes and a kernel can be repeated. */
export function seedOf(): number {
  const wanted = Number(process.env['SEED']);
  return Number.isSafeInteger(wanted) && wanted > 0 ? wanted : Date.now() % 2 ** 31;
}

export function pick<T>(random: () => number, ...choices: readonly [T, ...T[]]): T {
  return choices[Math.floor(random() * choices.length)] ?? choices[0];
}

/** The kinds of moment.c; what a record goes through comes first, then kernel, server and caller. */
const CALLS = ['create', 'file', 'truncate', 'rename', 'unlink', 'send', 'sendto', 'answer'] as const;
/** The first calls are made by every start, the later ones in a burst of ADDs and by a settlement of the spool. */
const LATEST_CALL = 10;
/** Of all moments. The rest is for times while the daemon is ready. */
const BY_CALL = 0.4;
const STARTING = 0.35;
/** From ready: a burst of waiting ADDs is done by then. */
const READY_MS = 300;

/** `startMs`: how long a start takes, within which those of kind `starting` fall. */
export function nextMoment(random: () => number, startMs: number): Moment {
  const choice = random();
  if (choice >= BY_CALL + STARTING) return { kind: 'ready', afterMs: random() * READY_MS };
  if (choice >= BY_CALL) return { kind: 'starting', afterMs: random() * startMs };
  const call = pick(random, ...CALLS);
  const isWrite = call === 'file' || call === 'answer';
  const when = isWrite ? pick(random, 'before', 'after', 'half') : pick(random, 'before', 'after');
  return { kind: 'call', at: `${call}:${when}:${1 + Math.floor(random() * random() * LATEST_CALL)}` };
}
