import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { program } from './programs.ts';

/** Where the Go daemon listens, and the Go plugin asks, unless told otherwise. */
export const GO_SOCKET = '/run/cni/dhcp.sock';

/** What a node has that gets its pods' addresses by the Go plugins. */
export const GO_MACVLAN = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'lan',
  plugins: [{ type: 'macvlan', master: 'eth0', mode: 'bridge', ipam: { type: 'dhcp' } }],
});

/** As a package or a person puts them there: files of their own. */
export async function copyGoPlugins(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of ['dhcp', 'macvlan', 'loopback']) {
    await copyFile(program('go-plugins', name), join(folder, name));
  }
}
