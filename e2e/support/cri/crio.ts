import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PAUSE, POD_IMAGE } from './pod-image.ts';
import { program } from '../cache.ts';
import { startRuntime, type CniFolders, type Runtime, type RuntimePlace } from './runtime.ts';

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

/** Starts CRI-O in a node with the image in its store, and resolves when it takes calls: `criNode(t, { start: startCrio })`. */
export async function startCrio({ space, cni, image, env }: RuntimePlace): Promise<Runtime> {
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

  const command = [program('bin', 'crio'), '--config', config, '--config-dir', ''];
  return await startRuntime(space, socket, command, { name: 'CRI-O', logFile, env });
}
