import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { killProcess, stopProcess, waitUntilReady, type LongProcess } from '../../../src/lab/long-process.ts';
import { Cri, CriError } from './cri.ts';
import { PAUSE, POD_IMAGE } from './pod-image.ts';
import { program } from '../cache.ts';
import type { CniFolders, Runtime, RuntimePlace } from './runtime.ts';

const START_DEADLINE_MS = 30_000;
const IMPORT_TIMEOUT_MS = 60_000;
/** Debian's, installed by scripts/e2e/crio.sh: it has libraries of its own. */
const CONMON = '/usr/bin/conmon';
/** Copies, where `overlay` would need a file system below that takes one. */
const DRIVER = 'vfs';

type Place = CniFolders & {
  readonly root: string;
  readonly runRoot: string;
  readonly state: string;
  readonly socket: string;
  readonly policy: string;
};

/** What is not said is its default. Network namespaces are pinned in `namespaces_dir`/netns. */
function configuration({ root, runRoot, state, socket, policy, bin, conf }: Place): string {
  return `[crio]
root = "${root}"
runroot = "${runRoot}"
storage_driver = "${DRIVER}"
log_dir = "${state}/log"
version_file = "${state}/version"
clean_shutdown_file = "${state}/clean.shutdown"
[crio.api]
listen = "${socket}"
[crio.runtime]
default_runtime = "runc"
cgroup_manager = "cgroupfs"
container_exits_dir = "${state}/exits"
container_attach_socket_dir = "${state}/attach"
namespaces_dir = "${state}"
pinns_path = "${program('bin', 'pinns')}"
irqbalance_config_restore_file = "disable"
[crio.runtime.runtimes.runc]
runtime_path = "${program('bin', 'runc')}"
runtime_root = "${state}/runc"
monitor_path = "${CONMON}"
monitor_cgroup = "pod"
[crio.image]
pause_image = "${POD_IMAGE}"
pause_command = "${PAUSE}"
signature_policy = "${policy}"
signature_policy_dir = "${state}/policies"
[crio.network]
network_dir = "${conf}"
plugin_dirs = ["${bin}"]
[crio.nri]
enable_nri = false
`;
}

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

/** Starts CRI-O in a node with the image in its store, and resolves when it takes calls: `criNode(t, { start: startCrio })`. */
export async function startCrio({ lan, space, cni, image, env }: RuntimePlace): Promise<Runtime> {
  const folder = join(space.folder, 'crio');
  const [root, runRoot, state] = [join(folder, 'root'), join(folder, 'run'), join(folder, 'state')];
  const [policy, config] = [join(folder, 'policy.json'), join(folder, 'crio.conf')];
  const [socket, logFile] = [join(folder, 'crio.sock'), join(folder, 'crio.log')];
  await mkdir(state, { recursive: true });
  await writeFile(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
  await writeFile(config, configuration({ ...cni, root, runRoot, state, socket, policy }));
  const store = [
    '--root',
    root,
    '--runroot',
    runRoot,
    '--storage-driver',
    DRIVER,
    '--signature-policy',
    policy,
  ];
  const copy = ['--image-name', POD_IMAGE, '--import-from', `oci-archive:${image}`];
  await space.run([program('bin', 'crio-copyimg'), ...store, ...copy], { timeoutMs: IMPORT_TIMEOUT_MS });

  const cri = new Cri(socket);
  const command = [program('bin', 'crio'), '--config', config, '--config-dir', ''];
  const launch = async (): Promise<LongProcess> => {
    const within = [...space.cgroup.within('runtime'), ...space.mounts, ...command];
    const process = await space.host.namespace.start(within, { name: 'CRI-O', logFile, env }, lan.resources);
    await waitUntilReady(process, async () => await answers(cri), { deadlineMs: START_DEADLINE_MS });
    return process;
  };
  let running = await launch();
  return {
    name: 'CRI-O',
    space,
    cri,
    logFile,
    podsCgroup: `${space.cgroup.path}/pods`,
    process: () => running,
    stop: async () => await stopProcess(running),
    kill: async () => await killProcess(running),
    start: async () => {
      running = await launch();
    },
    [Symbol.dispose]: () => cri[Symbol.dispose](),
  };
}
