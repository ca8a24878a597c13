import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BRIDGE, HomeLan, type ServerOptions } from '../../../src/lab/home-lan.ts';
import { readInterface } from '../../../src/lab/host.ts';
import { uniquePrefix } from '../../../src/lab/names.ts';
import { Resources } from '../../../src/lab/resources.ts';
import { KEPT_RUNS, RUNS } from '../cache.ts';

/** Set to anything: what a run leaves on the disks of its nodes (logs, for the most part) stays, in the cache's `kept`. */
const KEEP = process.env['LEASEHOLD_E2E_KEEP'] !== undefined;

/**
 * The LAN of a cluster: a router at 192.168.2.1 with a DHCP server, and a laptop that has its address from it. Nodes are plugged
 * in later. Its folder is in the cache, on a real file system. Disposing its resources removes all of it.
 */
export async function createLan(server: ServerOptions = { kind: 'dnsmasq' }): Promise<HomeLan> {
  const prefix = uniquePrefix();
  const folder = join(KEEP ? KEPT_RUNS : RUNS, prefix);
  // What a run with the same process number left, after the machine lost its power.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const resources = new Resources();
  if (!KEEP) resources.add({ kind: 'folder', path: folder });
  try {
    const lan = await HomeLan.create({ prefix, folder, server, resources, hosts: { laptop: 'dhcp' } });
    // Whoever sets a bridge's MAC address keeps it. Else it is the lowest of its ports', and a node that is switched on would
    // change the router's address under everybody's feet.
    const mac = (await readInterface(lan.router, BRIDGE))?.mac;
    if (mac !== undefined) await lan.router.ip('link', 'set', BRIDGE, 'address', mac);
    return lan;
  } catch (error) {
    await resources[Symbol.asyncDispose]();
    throw error;
  }
}
