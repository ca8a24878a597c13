import type { LongProcess } from '../../../src/lab/long-process.ts';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import type { Cri } from './cri.ts';
import type { NodeSpace } from './node-space.ts';

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
  readonly lan: HomeLan;
  readonly space: NodeSpace;
  readonly cni: CniFolders;
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
};
