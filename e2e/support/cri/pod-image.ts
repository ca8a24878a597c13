import { copyFile, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { OciLayout } from '../../../scripts/image/oci-layout.ts';
import { program } from '../cache.ts';

/** A sandbox's image and that of containers too: a program that waits, and busybox. No registry is asked for it. */
export const POD_IMAGE = 'localhost/leasehold-e2e:1';
/** What waits in it, as the command of a container. */
export const PAUSE = '/pause';
/** 2026-01-01, as good as any: what is in the image has no history. */
const EPOCH_SECONDS = 1_767_225_600;
const FASTEST = 1;
/** Node's names of processors, and those of an image. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const APPLETS = ['sh', 'ip', 'ping', 'cat', 'wget', 'httpd', 'hostname', 'nslookup', 'sleep'];

/** Makes the image as an archive in the folder, and resolves with its path. */
export async function buildPodImage(folder: string): Promise<string> {
  const root = join(folder, 'root');
  await mkdir(join(root, 'bin'), { recursive: true });
  for (const empty of ['dev', 'etc', 'proc', 'sys', 'tmp'])
    await mkdir(join(root, empty), { recursive: true });
  await copyFile(program('bin', 'pause'), join(root, PAUSE));
  await copyFile(program('bin', 'busybox'), join(root, 'bin', 'busybox'));
  for (const applet of APPLETS) await symlink('busybox', join(root, 'bin', applet));
  const layout = new OciLayout(join(folder, 'layout'), EPOCH_SECONDS, FASTEST);
  const layer = await layout.layer(root);
  const platform = { os: 'linux', architecture: ARCHITECTURES[process.arch] ?? process.arch };
  const config = { Env: ['PATH=/bin'], Entrypoint: [PAUSE], Cmd: [], Labels: {} };
  const file = join(folder, 'pod.tar');
  await layout.archive(POD_IMAGE, [layout.manifest(platform, config, [layer])], file);
  return file;
}
