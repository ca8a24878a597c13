import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Keeper } from './agent/keeper.ts';
import { removeAll, removeNetworks, type RemovalParts } from './agent/removal.ts';
import { networkWish, pluginWish, type Wish } from './agent/wishes.ts';
import { conflistProblem } from './agent-conflist.ts';
import { OwnDaemonSet } from './agent-daemon-set.ts';
import { tryLocks, waitForLocks } from './agent-locks.ts';
import { type Health, openProbe } from './agent-probe.ts';
import type { AgentArguments } from './cli/agent.ts';
import { WHOLE_NETWORK } from './cni/leasehold/whole-network.ts';
import { runDaemon, type DaemonOptions } from './daemon/daemon.ts';
import type { DaemonLife } from './daemon/life.ts';
import { loadConfig, readOwn } from './daemon/config.ts';
import { unfit } from './daemon/fitness.ts';
import { stopSignal } from './daemon/signals.ts';
import { undoHostLocked } from './host-undo.ts';
import { now } from './kernel/clock.ts';
import type { FileLock } from './kernel/file-lock.ts';
import { openTimers } from './kernel/timers.ts';
import { readManifest } from './install/manifest.ts';
import { DROP_IN_NAMES, LOOPBACK } from './install/plan.ts';
import { createLog } from './observe/log.ts';

export type AgentOptions = DaemonOptions &
  Omit<AgentArguments, keyof DaemonOptions> & {
    /** The plugin binary of this program; `loopback` lies beside it. */
    readonly plugin: string;
  };

/** Kubernetes gives 30 s (terminationGracePeriodSeconds), and then kills. */
const STOP_LIMIT_MS = 25_000;
/** Calls that are under way may end; whoever calls meanwhile is told to wait, and does so for 5 s (relay.c). */
const CALLS_PATIENCE_MS = 3000;
/** What a standby of a deleted DaemonSet waits for the one before it to be done. */
const REMOVAL_PATIENCE_MS = 15_000;

type State = 'starting' | 'standby' | 'serving' | 'stopping';

/**
 * The daemon, and what it needs on the node: plugins and network configuration. Where another agent serves the node, it stands
 * by and takes over when that one ends. `early`: the claim of the socket, where it was free. Gives the exit status. Throws an
 * Error for what a person can mend.
 */
export async function runAgent(options: AgentOptions, early: FileLock | undefined): Promise<number> {
  const { stateDir } = options;
  refuseInstalled(stateDir);
  const wishes = wishesOf(options);
  const kubeconfig = options.kubeconfig ?? loadConfig(options.configPath).kubeconfig;
  const log = createLog(options.logLevel);
  const stopped = stopSignal(STOP_LIMIT_MS);
  await using ends = new AsyncDisposableStack();
  const timers = openTimers();
  ends.defer(() => timers.close());
  const keeper = new Keeper({ folders: foldersOf(options), wishes, stateDir, clock: { now }, timers, log });
  ends.defer(() => keeper.close());

  let state: State = 'starting';
  let fitness: (() => Promise<string | undefined>) | undefined;
  const health = async (): Promise<Health> => {
    if (state === 'starting' || state === 'stopping') return { isWell: false, text: `the agent is ${state}` };
    // A standby that could not serve must not be what an update goes on for.
    const isStandby = state === 'standby';
    const problem = isStandby ? (keeper.problemAhead ?? unfit()) : (keeper.problem ?? (await fitness?.()));
    const well = isStandby ? 'standby, ready to take over' : 'ready';
    return { isWell: problem === undefined, text: problem ?? well };
  };
  const live = (): Health =>
    keeper.isStuck ? { isWell: false, text: keeper.problem ?? '' } : { isWell: true, text: 'live' };
  const probe = await openProbe({ path: options.probeSocket, ready: health, live });
  ends.defer(() => void probe.close());

  const owner =
    options.daemonSet === undefined
      ? undefined
      : new OwnDaemonSet(options.daemonSet, kubeconfig, timers, log);
  ends.defer(() => owner?.close());
  const removal = removalOf(options, (line) => log.info({}, line));
  let verdict: Promise<boolean> | undefined;
  /** Asked once, at the end. */
  const isDeleted = (): Promise<boolean> => (verdict ??= owner?.isDeleted() ?? Promise.resolve(false));

  let claim: FileLock | undefined;
  const life: DaemonLife = {
    lock: async () => {
      claim = await waitForLocks(options, { early, stopped, patienceMs: Number.POSITIVE_INFINITY }, () => {
        state = 'standby';
        log.info({}, 'another agent serves this node: standing by to take over');
      });
      if (claim !== undefined) {
        if (state === 'standby') log.info({}, 'taking over');
        state = 'starting';
      }
      return claim;
    },
    stopped: () => stopped,
    ready: (asked) => {
      fitness = asked;
      keeper.start();
      state = 'serving';
    },
    stopping: () => {
      state = 'stopping';
      keeper.close();
      void isDeleted().then((deleted) => {
        if (deleted) removeNetworks(removal);
      });
    },
    patienceMs: CALLS_PATIENCE_MS,
    leavesSocket: true,
    last: async () => {
      state = 'stopping';
      keeper.close();
      if (await isDeleted()) await removeAll(removal);
    },
  };
  await runDaemon(options, life);
  if (claim === undefined && (await isDeleted())) await removeAfterAnother(options, removal);
  return 0;
}

/** `leasehold agent --remove`: what agents have put on this node goes. Gives the exit status. */
export async function removeAgent(options: AgentOptions, say: (line: string) => void): Promise<number> {
  const locks = tryLocks(options);
  if (locks === undefined) {
    throw new Error('an agent or a daemon runs on this node, and would put all of it back: stop it first');
  }
  try {
    const left = await removeAll(removalOf(options, say));
    return left.length === 0 ? 0 : 1;
  } finally {
    locks.release();
  }
}

/** The one that served the node has been stopped too, and removes; where it died, this is the last. */
async function removeAfterAnother(options: AgentOptions, removal: RemovalParts): Promise<void> {
  const never = new Promise<never>(() => undefined);
  const waiting = { early: undefined, stopped: never, patienceMs: REMOVAL_PATIENCE_MS };
  const locks = await waitForLocks(options, waiting, () => undefined);
  if (locks === undefined) return;
  try {
    await removeAll(removal);
  } finally {
    locks.release();
  }
}

function removalOf(options: AgentOptions, say: (line: string) => void): RemovalParts {
  const { stateDir, socketPath } = options;
  return { folders: foldersOf(options), stateDir, socketPath, undoHost: undoHostLocked, say };
}

function foldersOf({ cniBinDir, cniConfDir }: AgentOptions): RemovalParts['folders'] {
  return { plugin: cniBinDir, network: cniConfDir };
}

function wishesOf(options: AgentOptions): readonly Wish[] {
  const relay = readFileSync(options.plugin);
  const loopback = readFileSync(join(dirname(options.plugin), LOOPBACK));
  const { conflist, conflistName, dropIn } = options;
  const text =
    conflist === undefined ? JSON.stringify(WHOLE_NETWORK, undefined, 2) : readOwn(conflist, '--conflist');
  const names = ['leasehold', ...(dropIn ? DROP_IN_NAMES : [])];
  const network = networkWish(conflistName, text);
  const problem = conflistProblem(text, names);
  if (problem !== undefined) throw new Error(`--conflist ${conflist ?? ''}: ${problem}`);
  return [...names.map((name) => pluginWish(name, relay)), pluginWish(LOOPBACK, loopback), network];
}

/** One of the two would take away what the other put, and both would want to be the node's daemon. */
function refuseInstalled(stateDir: string): void {
  if (readManifest('/', stateDir) === undefined) return;
  throw new Error(
    `"leasehold install" was run on this node (${join(stateDir, 'install.json')}): run "leasehold uninstall" there first; running pods and their leases stay, and this agent takes them up`,
  );
}
