import {
  killProcess,
  stopProcess,
  waitUntilReady,
  type LongProcess,
  type StartOptions,
} from '../../../src/lab/long-process.ts';
import { Cri, CriError } from './cri.ts';
import type { NodeSpace } from './node-space.ts';

const START_DEADLINE_MS = 30_000;

/** A container runtime that runs on a node of a test's own LAN, and how it is treated badly. It ends with the node's space. */
export type Runtime = Disposable & {
  /** As in "containerd 1.6". */
  readonly name: string;
  readonly space: NodeSpace;
  readonly cri: Cri;
  readonly logFile: string;
  /** `cgroup_parent` of its pods. */
  readonly podsCgroup: string;
  /** Its process now; another one after `start`. */
  readonly process: () => LongProcess;
  /** SIGTERM and wait; pods go on. */
  readonly stop: () => Promise<void>;
  /** SIGKILL and wait; pods go on. */
  readonly kill: () => Promise<void>;
  /** Starts it again, and resolves when it answers. */
  readonly start: () => Promise<void>;
};

/** What a node has for the plugins: where their programs are, and their network configuration. */
export type CniFolders = { readonly bin: string; readonly conf: string };

/** What a runtime is started with. `image`: an archive with POD_IMAGE. `env`: the plugins need it. */
export type RuntimePlace = {
  readonly space: NodeSpace;
  readonly cni: CniFolders;
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
};

/** Whether the runtime answers. A network that is not there yet is not asked for. */
async function answers(cri: Cri): Promise<boolean> {
  try {
    await cri.version();
    return true;
  } catch (error) {
    if (error instanceof CriError) return false;
    throw error;
  }
}

/** Starts the program of a runtime in a node, and resolves when it takes calls at its socket. */
export async function startRuntime(
  space: NodeSpace,
  socket: string,
  command: readonly string[],
  options: StartOptions,
): Promise<Runtime> {
  using untilStarted = new DisposableStack();
  const cri = untilStarted.use(new Cri(socket));
  const launch = async (): Promise<LongProcess> => {
    const process = await space.start('runtime', command, options);
    await waitUntilReady(process, async () => await answers(cri), { deadlineMs: START_DEADLINE_MS });
    return process;
  };
  let running = await launch();
  const held = untilStarted.move();
  return {
    name: options.name,
    space,
    cri,
    logFile: options.logFile,
    podsCgroup: `${space.cgroup.path}/pods`,
    process: () => running,
    stop: async () => await stopProcess(running),
    kill: async () => await killProcess(running),
    start: async () => {
      running = await launch();
    },
    [Symbol.dispose]: () => held.dispose(),
  };
}
