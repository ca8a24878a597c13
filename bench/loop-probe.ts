/**
 * Loaded into the daemon by `--import` for one measurement, never for the timed ones: watches its event loop, and on
 * SIGUSR2 writes what it saw since the last time to the file that LEASEHOLD_LOOP_PROBE names.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const NS_PER_MS = 1e6;

const target = process.env['LEASEHOLD_LOOP_PROBE'];
if (target !== undefined) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  process.on('SIGUSR2', () => {
    const seen = {
      maxMs: histogram.max / NS_PER_MS,
      p99Ms: histogram.percentile(99) / NS_PER_MS,
      turns: histogram.count,
    };
    // Renamed, so that the reader never sees half of it.
    writeFileSync(`${target}.new`, JSON.stringify(seen));
    renameSync(`${target}.new`, target);
    histogram.reset();
  });
}
