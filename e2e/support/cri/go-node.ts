import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDaemon } from '../../../src/lab/daemon.ts';
import { HomeLan, type HomeLanOptions } from '../../../src/lab/home-lan.ts';
import { stopProcess, type LongProcess } from '../../../src/lab/long-process.ts';
import { CNI_BIN, ROOT, startLeasehold } from '../../../tests/support/leasehold.ts';
import { containerd, type ContainerdVersion } from './containerd.ts';
import { buildPodImage } from './pod-image.ts';
import { NodeSpace } from './node-space.ts';
import { program } from '../cache.ts';
import type { CniFolders, Runtime } from './runtime.ts';

/** Where the Go daemon listens, and the Go plugin asks, unless told otherwise. */
export const GO_SOCKET = '/run/cni/dhcp.sock';

/** What a node has that gets its pods' addresses by the Go plugins. */
export const GO_CONFLIST = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'lan',
  plugins: [{ type: 'macvlan', master: 'eth0', mode: 'bridge', ipam: { type: 'dhcp' } }],
});

/** As a package or a person puts them there: files of their own. */
export async function copyGoPlugins(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of ['dhcp', 'macvlan', 'loopback', 'host-local']) {
    await copyFile(program('go-plugins', name), join(folder, name));
  }
}

/** A node whose pods have their addresses by the Go plugins, under containerd, and what changing over does to it. */
export class GoNode implements AsyncDisposable {
  readonly lan: HomeLan;
  readonly space: NodeSpace;
  readonly cni: CniFolders;
  readonly runtime: Runtime;
  readonly #go: LongProcess;
  readonly #made: AsyncDisposableStack;
  readonly #socket: string;

  private constructor(
    parts: Pick<GoNode, 'lan' | 'space' | 'cni' | 'runtime'>,
    go: LongProcess,
    socket: string,
    made: AsyncDisposableStack,
  ) {
    this.lan = parts.lan;
    this.space = parts.space;
    this.cni = parts.cni;
    this.runtime = parts.runtime;
    this.#go = go;
    this.#socket = socket;
    this.#made = made;
  }

  static async create(version: ContainerdVersion, options: HomeLanOptions): Promise<GoNode> {
    await using made = new AsyncDisposableStack();
    const lan = made.use(await HomeLan.create(options));
    const space = made.use(await NodeSpace.create(lan));
    const cni = { bin: join(space.folder, 'cni-bin'), conf: join(space.folder, 'cni-conf') };
    await mkdir(cni.conf, { recursive: true });
    await copyGoPlugins(cni.bin);
    await writeFile(join(cni.conf, '10-lan.conflist'), GO_CONFLIST);
    await space.run(['mkdir', '-p', '/run/cni']);
    const go = await startDaemon(lan.node.namespace, {
      command: [...space.mounts, join(cni.bin, 'dhcp'), 'daemon'],
      socket: space.path(GO_SOCKET),
      readiness: 'socket',
      logFile: join(lan.folder, 'go-dhcp.log'),
      name: 'Go dhcp daemon',
      resources: lan.resources,
    });
    const image = await buildPodImage(join(space.folder, 'image'));
    // Of no use to the Go plugins; ours find the daemon by it later.
    const socket = join(lan.folder, 'leasehold', 'leasehold.sock');
    const place = { space, cni, image, env: { LEASEHOLD_SOCKET: socket } };
    const runtime = made.use(await containerd(version)(place));
    return new GoNode({ lan, space, cni, runtime }, go, socket, made.move());
  }

  async stopGo(): Promise<void> {
    await stopProcess(this.#go);
  }

  /** Each by a rename, so that there is no moment without. */
  async replacePlugins(): Promise<void> {
    for (const name of ['leasehold', 'dhcp', 'macvlan', 'route-override']) {
      const beside = join(this.cni.bin, `.${name}.new`);
      await copyFile(join(CNI_BIN, 'leasehold'), beside);
      await this.space.run(['mv', beside, join(this.cni.bin, name)]);
    }
  }

  async startLeasehold(...args: readonly string[]): Promise<void> {
    await startLeasehold(this.lan, { within: this.space.mounts, args });
  }

  /** `leasehold adopt` over what containerd remembers; as JSON. */
  async adopt(): Promise<string> {
    return await this.space.run([
      join(ROOT, 'bin', 'leasehold'),
      'adopt',
      '--socket',
      this.#socket,
      '--json',
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#made.disposeAsync();
  }
}
