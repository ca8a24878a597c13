// Removes what runs have left that could not end in order (SIGKILL, SIGPIPE, no memory): their processes, namespaces, cgroups
// and folders. Called by scripts/e2e.sh; a program without arguments.
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { killProcess, processIdOf } from '../../src/lab/long-process.ts';
import { deleteNamespace, NETNS_FOLDER } from '../../src/lab/namespace-name.ts';
import { run } from '../../src/lab/process.ts';
import { RUNS } from './cache.ts';
import { Cgroup, cgroupNames } from './cgroup.ts';

/** As `uniquePrefix` of src/lab/names.ts makes it, with the number of the process that made it. */
const PREFIX = /^(?<prefix>lh(?<pid>[1-9]\d*)-\d+)(?:-|$)/;

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** By cgroups and folders, which only these tests have: namespaces of that name may be a lab's, which outlives its process. */
function deadRuns(): readonly string[] {
  const found = [...cgroupNames(), ...namesIn(RUNS)].flatMap((name) => {
    const { prefix, pid } = PREFIX.exec(name)?.groups ?? {};
    return prefix === undefined || existsSync(`/proc/${pid}`) ? [] : [prefix];
  });
  return [...new Set(found)];
}

async function sweep(prefix: string): Promise<void> {
  const cgroups = cgroupNames()
    .filter((name) => name.startsWith(`${prefix}-`))
    .map((name) => Cgroup.left(name));
  // Process 0 is one that is not seen from here: the run is alive, and its number another one where it is.
  if (cgroups.some((cgroup) => cgroup.processes().includes(0))) return;
  console.log(`e2e: removing what a run has left that was killed (${prefix})`);
  for (const cgroup of cgroups) await cgroup.remove();
  for (const name of namesIn(NETNS_FOLDER).filter((one) => one.startsWith(`${prefix}-`))) {
    const pids = await run(['ip', 'netns', 'pids', name]);
    for (const pid of pids.split('\n').filter(Boolean)) await killProcess(processIdOf(Number(pid)));
    await deleteNamespace(name);
  }
  await rm(join(RUNS, prefix), { recursive: true, force: true });
}

for (const prefix of deadRuns()) await sweep(prefix);
