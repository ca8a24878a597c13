import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as v from 'valibot';
import { signalProcess, stopProcess, type LongProcess } from '../src/lab/long-process.ts';
import { readIfThere } from '../src/lab/server.ts';
import { waitFor } from '../src/lab/wait.ts';
import { attach, detach } from './batch.ts';
import type { BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import { type Side, startLeasehold, withHostSide } from './sides.ts';

const seenSchema = v.object({ maxMs: v.number(), p99Ms: v.number(), turns: v.number() });

/** Time between two turns of the daemon's event loop; a millisecond of it is the probe's own timer. */
export type LoopDelay = v.InferOutput<typeof seenSchema>;
export type LoopDelays = {
  readonly adds: LoopDelay;
  readonly dels: LoopDelay;
  readonly failures: readonly string[];
};
/** By `macvlan` and `dhcp`, and by the plugin type `leasehold`. */
export type BothLoopDelays = LoopDelays & { readonly hostSide: LoopDelays };

async function readProbe(daemon: LongProcess, file: string): Promise<LoopDelay> {
  await rm(file, { force: true });
  signalProcess(daemon, 'SIGUSR2');
  const text = await waitFor('the event loop probe', async () => (await readIfThere(file)) || undefined);
  return v.parse(seenSchema, JSON.parse(text));
}

/** A burst of ADDs and one of DELs with a daemon of its own that carries the probe. */
export async function measureLoop(home: BenchHome, { loopBurst: burst }: Plan): Promise<BothLoopDelays> {
  const { lan, pods } = home;
  const { root } = home.programs;
  const bench = await home.kea();
  const file = join(lan.folder, 'loop-probe.json');
  const probe = pathToFileURL(join(root, 'bench', 'loop-probe.ts')).href;
  const side = await startLeasehold(lan, root, 'loop', {
    env: { NODE_OPTIONS: `--import=${probe}`, LEASEHOLD_LOOP_PROBE: file },
  });
  // The first burst is for the JavaScript engine's compiler.
  const hostSide = await withHostSide(lan, side);
  const once = async (by: Side, label: string): Promise<LoopDelays> => {
    const jobs = jobsFor(pods, `loop-${label}`, burst);
    await readProbe(side.daemon, file);
    const added = await attach(bench, by, jobs, burst);
    const adds = await readProbe(side.daemon, file);
    const gone = await detach(bench, by, jobs, { atOnce: burst, pairs: added.pairs });
    const dels = await readProbe(side.daemon, file);
    return { adds, dels, failures: [...added.failures, ...gone.failures] };
  };
  try {
    await once(side, 'first');
    await once(hostSide, 'host-first');
    return { ...(await once(side, 'second')), hostSide: await once(hostSide, 'host-second') };
  } finally {
    await stopProcess(side.daemon);
  }
}
