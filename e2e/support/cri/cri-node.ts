import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { HomeLan, type HomeLanOptions } from '../../../src/lab/home-lan.ts';
import { CNI_BIN, startLeasehold, type RunningLeasehold } from '../../../tests/support/leasehold.ts';
import { buildPodImage } from './pod-image.ts';
import { NodeSpace } from './node-space.ts';
import type { CniFolders, Runtime, RuntimePlace } from './runtime.ts';

/** The whole network configuration of a node that has Leasehold. */
export const LEASEHOLD_CONFLIST = `{
  "cniVersion": "1.0.0",
  "cniVersions": ["1.0.0", "1.1.0"],
  "name": "lan",
  "plugins": [{ "type": "leasehold" }]
}
`;

export type CriNode = {
  readonly lan: HomeLan;
  readonly space: NodeSpace;
  readonly leasehold: RunningLeasehold;
  readonly runtime: Runtime;
  readonly cni: CniFolders;
};

export type CriNodeOptions = {
  readonly lan?: HomeLanOptions;
  readonly conflist?: string;
  /** Of the daemon. */
  readonly args?: readonly string[];
  /** `containerd(CONTAINERD_2)`, for example. */
  readonly start: (place: RuntimePlace) => Promise<Runtime>;
};

async function cniFolders(folder: string, conflist: string): Promise<CniFolders> {
  const cni = { bin: join(folder, 'cni-bin'), conf: join(folder, 'cni-conf') };
  await mkdir(cni.bin, { recursive: true });
  await mkdir(cni.conf, { recursive: true });
  for (const name of ['leasehold', 'dhcp', 'macvlan', 'route-override', 'loopback']) {
    await symlink(join(CNI_BIN, name), join(cni.bin, name));
  }
  await writeFile(join(cni.conf, '05-leasehold.conflist'), conflist);
  return cni;
}

/**
 * A home with a node that runs the daemon and a container runtime, in the order in which a node starts: daemon, plugins and
 * configuration, runtime. Everything of it goes when the test ends, however it ends.
 */
export async function criNode(t: TestContext, options: CriNodeOptions): Promise<CriNode> {
  // Hooks of a test run in the order in which they were given, so one hook takes all down: the last thing made first.
  const made = new AsyncDisposableStack();
  t.after(async () => await made.disposeAsync());
  const lan = made.use(await HomeLan.create(options.lan));
  const space = made.use(await NodeSpace.create(lan));
  const leasehold = await startLeasehold(lan, { within: space.mounts, args: options.args ?? [] });
  const cni = await cniFolders(space.folder, options.conflist ?? LEASEHOLD_CONFLIST);
  const image = await buildPodImage(join(space.folder, 'image'));
  const env = { LEASEHOLD_SOCKET: leasehold.socket };
  const runtime = made.use(await options.start({ space, cni, image, env }));
  return { lan, space, leasehold, runtime, cni };
}
