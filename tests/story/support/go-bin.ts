import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import { CNI_BIN, DEBIAN_CNI_BIN } from '../../support/leasehold.ts';

/** A folder with Debian's Go macvlan beside our dhcp and leasehold. */
export async function goBinDir(lan: HomeLan, node: string): Promise<string> {
  const folder = join(lan.folder, `go-bin-${node}`);
  // A second call finds it made.
  if ((await mkdir(folder, { recursive: true })) === undefined) return folder;
  await symlink(join(DEBIAN_CNI_BIN, 'macvlan'), join(folder, 'macvlan'));
  for (const name of ['dhcp', 'leasehold']) await symlink(join(CNI_BIN, name), join(folder, name));
  return folder;
}
