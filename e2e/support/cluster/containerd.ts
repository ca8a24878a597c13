import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CACHE, CACHE_IMAGES, GO_PLUGINS, LEASEHOLD_ARCHIVE, ROOT } from '../cache.ts';
import type { Node } from './node.ts';

/** The folders of the specification's and kubeadm's defaults. */
export const CNI_BIN_DIR = '/opt/cni/bin';
export const CNI_CONF_DIR = '/etc/cni/net.d';
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';
const IMPORT_TIMEOUT_MS = 120_000;

/** Without CAP_SYS_RESOURCE, as root in a container, runc may not lower a process's oom_score_adj. */
const CONTAINERD_CONFIG = `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "localhost/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["${CNI_BIN_DIR}"]
    conf_dir = "${CNI_CONF_DIR}"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "/e2e/cache/bin/runc"
`;

/**
 * Starts containerd on a node, with the images of tests and product. It has no plugin, as where a distribution's own network
 * is off: also `loopback`, which containerd calls for each pod, is Leasehold's to bring.
 */
export async function startContainerd(node: Node): Promise<void> {
  await node.writeFile('/etc/containerd/config.toml', CONTAINERD_CONFIG);
  await node.run(['mkdir', '-p', CNI_BIN_DIR, CNI_CONF_DIR]);
  await node.start(
    'containerd',
    ['containerd', '--config', '/etc/containerd/config.toml'],
    async () => (await node.runToEnd(['ctr', 'version'])).status === 0,
  );
  await importImages(node);
}

/** One of the Go plugins, for a node that uses it beside Leasehold. */
export async function installGoPlugin(node: Node, name: string): Promise<void> {
  await node.copyFile(join(GO_PLUGINS, name), `${CNI_BIN_DIR}/${name}`);
  await node.run(['chmod', '755', `${CNI_BIN_DIR}/${name}`]);
}

async function importImages(node: Node): Promise<void> {
  const archives = (await readdir(CACHE_IMAGES)).map((file) => join(CACHE_IMAGES, file));
  // The small ones first: sandboxes need them.
  for (const archive of [...archives, LEASEHOLD_ARCHIVE]) await importImage(node, archive);
}

/** Imports an archive of the cache or of dist/, once for each disk. */
export async function importImage(node: Node, archive: string): Promise<void> {
  const stamp = `/var/lib/containerd/.imported-${basename(archive)}`;
  if (existsSync(node.path(stamp))) return;
  const inside = archive.replace(CACHE, '/e2e/cache').replace(join(ROOT, 'dist'), '/e2e/dist');
  await node.run(['ctr', '--namespace', 'k8s.io', 'images', 'import', inside], {
    timeoutMs: IMPORT_TIMEOUT_MS,
  });
  await node.writeFile(stamp, '');
}
