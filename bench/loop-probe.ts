/**
 * Loaded into the daemon by `--import` for one measurement, never for the timed ones: watches its event loop by a timer
 * of 1 ms, and on SIGUSR2 writes what it saw since the last time to the file that LEASEHOLD_LOOP_PROBE names.
 *
 * A gap is the time from one turn of the timer to the next. Its own part is what is left without the time in which the
 * main thread could run and had no processor (Documentation/scheduler/sched-stats: the second field of a thread's
 * schedstat): that time is the machine's, however fast the loop is.
 */
import { openSync, readSync, renameSync, writeFileSync } from 'node:fs';

const PERIOD_MS = 1;
const NS_PER_MS = 1e6;
const P99 = 0.99;
/** Gaps that are kept: two minutes of them. */
const MAX_GAPS = 120_000;
const SCHEDSTAT_BYTES = 128;

/** What the probe saw between two signals. */
export type LoopSeen = {
  readonly maxMs: number;
  /** The longest own part of any gap. */
  readonly maxOwnMs: number;
  /** 99 % of the gaps had at most this as their own part. */
  readonly p99OwnMs: number;
  readonly turns: number;
};

function watchLoop(target: string): void {
  // The main thread's number is that of the process.
  const schedstat = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const bytes = Buffer.alloc(SCHEDSTAT_BYTES);
  const waitedMs = (): number => {
    const length = readSync(schedstat, bytes, 0, SCHEDSTAT_BYTES, 0);
    return Number(bytes.toString('latin1', 0, length).split(' ')[1]) / NS_PER_MS;
  };
  const own = new Float64Array(MAX_GAPS);
  let [turns, maxMs] = [0, 0];
  let [last, waited] = [performance.now(), waitedMs()];
  const turn = (): void => {
    const [now, waitedNow] = [performance.now(), waitedMs()];
    const gap = now - last;
    maxMs = Math.max(maxMs, gap);
    own[turns % MAX_GAPS] = Math.max(0, gap - (waitedNow - waited));
    turns += 1;
    [last, waited] = [now, waitedNow];
  };
  setInterval(turn, PERIOD_MS).unref();
  process.on('SIGUSR2', () => {
    // What goes on at this moment is part of it.
    turn();
    const sorted = own.slice(0, Math.min(turns, MAX_GAPS)).sort();
    const seen: LoopSeen = {
      maxMs,
      maxOwnMs: sorted.at(-1) ?? 0,
      p99OwnMs: sorted[Math.floor((sorted.length - 1) * P99)] ?? 0,
      turns,
    };
    // Renamed, so that the reader never sees half of it.
    writeFileSync(`${target}.new`, JSON.stringify(seen));
    renameSync(`${target}.new`, target);
    [turns, maxMs] = [0, 0];
    [last, waited] = [performance.now(), waitedMs()];
  });
}

const named = process.env['LEASEHOLD_LOOP_PROBE'];
if (named !== undefined) watchLoop(named);
