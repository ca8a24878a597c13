import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatCidr } from '../src/base/cidr.ts';
import { HomeLan } from '../src/lab/home-lan.ts';
import { UPLINK, type Host } from '../src/lab/host.ts';
import { deleteNamespace } from '../src/lab/namespace-name.ts';
import { waitFor } from '../src/lab/wait.ts';
import { attach, type Batch } from './batch.ts';
import { cidr, keaOptions, ROUTER, type BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import { Pods } from './pods.ts';
import { cpuSeconds } from './process-state.ts';
import { keaPairs } from './server-leases.ts';
import { kill, startGo, startLeasehold, withHostSide, type Pair, type Side, type SideName } from './sides.ts';

const LABEL = 'reboot';
const NODE = cidr('10.77.0.2/16');
const AT_ONCE = 20;
const NS_PER_MS = 1e6;

/** The pods of a node that come at once after its boot. */
export type Reboot = {
  /** From the first plugin's start to the last one's end. */
  readonly podsMs: number;
  /** From the start of the daemon's process to the last plugin's end. */
  readonly daemonMs: number;
  readonly timesMs: readonly number[];
  /** The daemon's processor time, its start included. */
  readonly cpuMs: number;
  /** Leases of the pods before the reboot that the server still had when the last new pod was there. */
  readonly oldLeases: number;
  readonly failures: readonly string[];
};

export type RebootSize = { readonly size: number } & Pair<readonly Reboot[]>;

/** Sees another boot id than the machine's, in a mount namespace of its own; what is mounted later is seen there as well. */
function withBootId(file: string): readonly string[] {
  const script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"';
  return ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', script, file];
}

async function startSide(home: BenchHome, lan: HomeLan, node: Host, name: SideName): Promise<Side> {
  if (name === 'go') return await startGo(lan, home.programs.goPlugins, `${LABEL}-${node.name}`, node);
  const bootId = join(lan.folder, `boot-id-${node.name}`);
  await writeFile(bootId, `${randomUUID()}\n`);
  // The same label: the state folder of the boot before.
  const start = { node, readiness: 'socket', wrap: withBootId(bootId) } as const;
  return await withHostSide(lan, await startLeasehold(lan, home.programs.root, LABEL, start));
}

/** The node is gone with all that its kernel held; the one after it has its cable's MAC address and its IP address. */
async function replaceNode(lan: HomeLan): Promise<void> {
  const [before, after] = [lan.host('before'), lan.host('after')];
  const uplink = await before.state();
  if (uplink === undefined) throw new Error('the node has no uplink');
  await deleteNamespace(before.namespace.name);
  const isGone = async (): Promise<boolean> => !(await lan.router.ip('-br', 'link')).includes(before.port);
  await waitFor('the old node to be unplugged', isGone);
  await after.namespace.ip('link', 'set', UPLINK, 'address', uplink.mac);
  await after.namespace.ip('addr', 'add', formatCidr(NODE), 'dev', UPLINK);
  await after.namespace.ip('route', 'add', 'default', 'via', lan.routerAddress.address);
}

function summarize(batch: Batch, begunMs: number): Omit<Reboot, 'cpuMs' | 'oldLeases'> {
  return {
    podsMs: batch.endedMs - batch.beganMs,
    daemonMs: batch.endedMs - begunMs,
    timesMs: batch.timesMs,
    failures: batch.failures,
  };
}

async function rebootOnce(home: BenchHome, name: SideName, size: number, round: number): Promise<Reboot> {
  const { signal, driver } = home;
  await using lan = await HomeLan.create({
    router: ROUTER,
    hosts: { before: { address: NODE }, after: 'none' },
    server: { kind: 'none' },
    signal,
  });
  const control = join(lan.folder, 'kea.sock');
  await lan.startServer(await keaOptions(control), signal);
  const bench = { driver, signal, leased: keaPairs(control) };
  const label = `${LABEL}-${name}-${size}-${round}`;
  const failures: string[] = [];
  let oldPairs: ReadonlySet<string> = new Set();
  {
    await using old = await Pods.create(`${lan.prefix}-old`, size, signal);
    const side = await startSide(home, lan, lan.host('before'), name);
    const added = await attach(bench, side, jobsFor(old, `${label}-old`, size), AT_ONCE);
    failures.push(...added.failures);
    oldPairs = added.pairs;
    await kill(side.daemon);
  }
  await replaceNode(lan);
  await using pods = await Pods.create(`${lan.prefix}-new`, size, signal);
  const begunMs = Number(process.hrtime.bigint()) / NS_PER_MS;
  const side = await startSide(home, lan, lan.host('after'), name);
  const added = await attach(bench, side, jobsFor(pods, `${label}-new`, size), size);
  const oldLeases = (await bench.leased()).intersection(oldPairs).size;
  const cpuMs = (await cpuSeconds(side.daemon.pid)) * 1000;
  await kill(side.daemon);
  const measured = summarize(added, begunMs);
  return { ...measured, cpuMs, oldLeases, failures: [...failures, ...measured.failures] };
}

/** Both sides in turn, each time with a home of its own. */
export async function measureReboot(home: BenchHome, { reboot: plan }: Plan): Promise<readonly RebootSize[]> {
  const sizes: RebootSize[] = [];
  for (const { size, rounds } of plan) {
    const leasehold: Reboot[] = [];
    const go: Reboot[] = [];
    for (let round = 0; round < rounds; round++) {
      leasehold.push(await rebootOnce(home, 'leasehold', size, round));
      go.push(await rebootOnce(home, 'go', size, round));
    }
    sizes.push({ size, leasehold, go });
  }
  return sizes;
}
