import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { POD_IMAGE } from './pod-image.ts';
import { program } from '../cache.ts';
import { startRuntime, type CniFolders, type Runtime, type RuntimePlace } from './runtime.ts';

const IMPORT_TIMEOUT_MS = 60_000;
/** Containers of the CRI are in it, and so are its images. */
const CRI_NAMESPACE = 'k8s.io';

/** A containerd by where its programs are in the cache, and by the form of its configuration. */
export type ContainerdVersion = {
  readonly name: string;
  readonly folder: readonly string[];
  readonly configuration: (place: ConfigurationPlace) => string;
};

type ConfigurationPlace = CniFolders & {
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly opt: string;
  readonly runc: string;
};

/** containerd 2, configuration version 3. */
export const CONTAINERD_2: ContainerdVersion = {
  name: 'containerd 2.4',
  folder: ['bin'],
  configuration: ({ root, state, socket, opt, runc, bin, conf }) => `version = 3
root = "${root}"
state = "${state}"
[grpc]
  address = "${socket}"
[plugins.'io.containerd.internal.v1.opt']
  path = "${opt}"
[plugins.'io.containerd.nri.v1.nri']
  disable = true
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${POD_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  # runc fails without CAP_SYS_RESOURCE where a score goes down.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["${bin}"]
    conf_dir = "${conf}"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "${runc}"
`,
};

/** Debian 12's containerd 1.6, configuration version 2. */
export const CONTAINERD_1_6: ContainerdVersion = {
  name: 'containerd 1.6',
  folder: ['debian', 'containerd', 'usr', 'bin'],
  configuration: ({ root, state, socket, opt, runc, bin, conf }) => `version = 2
root = "${root}"
state = "${state}"
[grpc]
  address = "${socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${opt}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${POD_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${bin}"
    conf_dir = "${conf}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "${runc}"
`,
};

/** Starts a containerd of this version in a node, imports the image, and resolves when it takes calls. */
export function containerd(version: ContainerdVersion): (place: RuntimePlace) => Promise<Runtime> {
  return async (place) => await startContainerd(version, place);
}

async function startContainerd(version: ContainerdVersion, place: RuntimePlace): Promise<Runtime> {
  const { space, cni, image, env } = place;
  const programs = version.folder;
  const folder = join(space.folder, version.name.replaceAll(' ', '-'));
  const [socket, configFile] = [join(folder, 'containerd.sock'), join(folder, 'config.toml')];
  const logFile = join(folder, 'containerd.log');
  await mkdir(folder, { recursive: true });
  const runc = program('bin', 'runc');
  const folders = { root: join(folder, 'root'), state: join(folder, 'state'), opt: join(folder, 'opt') };
  await writeFile(configFile, version.configuration({ ...cni, ...folders, socket, runc }));

  const daemon = program(...programs, 'containerd');
  const runtime = await startRuntime(space, socket, [daemon, '--config', configFile], {
    name: version.name,
    logFile,
    // Its shims are found by the folder of its own program only where that is in PATH.
    env: { ...env, PATH: `${dirname(daemon)}:/usr/sbin:/usr/bin:/sbin:/bin` },
  });
  using untilFilled = new DisposableStack();
  untilFilled.use(runtime);
  const ctr = [program(...programs, 'ctr'), '--address', socket, '--namespace', CRI_NAMESPACE];
  await space.run([...ctr, 'images', 'import', image], { timeoutMs: IMPORT_TIMEOUT_MS });
  untilFilled.move();
  return runtime;
}
