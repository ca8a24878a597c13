import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { isErrno } from '../../../src/lab/errno.ts';
import { mapParallel } from '../../../src/lab/parallel.ts';
import { run } from '../../../src/lab/process.ts';
import { DeadlineError, waitFor } from '../../../src/lab/wait.ts';
import type { CriNode } from './cri-node.ts';

/** A busy machine releases a hundred leases in seconds. */
const DEADLINE_MS = 60_000;
const LOOKS_AT_ONCE = 16;
/** What Leasehold marks its routes with (rtnetlink(7), rtm_protocol). */
const OUR_ROUTES = '76';
/** What a node has on its own, besides what Leasehold makes once for the uplink. */
const LINKS_OF_A_NODE = new Set(['lo', 'eth0', 'lh0']);
/** proc_pid_mountinfo(5): the fourth field is `net:[INODE]`, the fifth the mount point, the one after the dash the type. */
const NAMESPACE_MOUNT = /^\S+ \S+ \S+ net:\S+ (\S+) .* - nsfs /;

const namedSchema = v.array(v.object({ ifname: v.string() }));
const routesSchema = v.array(v.object({ dst: v.string() }));

async function files(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Network namespaces that the runtime has mounted; one in which nothing was ever made is the runtime's own affair. */
async function mountedNamespaces({ space }: CriNode, allowed: Allowed): Promise<readonly string[]> {
  const mounts = await readFile(space.mountsFile, 'utf8');
  const paths = mounts
    .split('\n')
    .map((line) => NAMESPACE_MOUNT.exec(line)?.[1] ?? '')
    .filter((path) => path.startsWith(space.folder));
  if (allowed.emptyNamespaces !== true) return paths;
  const looked = await mapParallel(paths, LOOKS_AT_ONCE, async (path) => {
    const links = await run(space.inPod(path, ['ip', '-j', 'link', 'show']));
    return v.parse(namedSchema, JSON.parse(links)).some(({ ifname }) => ifname !== 'lo') ? [path] : [];
  });
  return looked.flat();
}

/** Leases at the server that are not of the hosts of the LAN. */
export async function podLeases({ lan }: Pick<CriNode, 'lan'>): Promise<readonly string[]> {
  const states = await Promise.all(lan.hosts.map(async (host) => await host.state()));
  const own = new Set(states.map((state) => state?.mac));
  return (await lan.server.leases()).filter(({ mac }) => !own.has(mac)).map(({ ip }) => ip);
}

/** What may be left. `leases`: their addresses. `emptyNamespaces`: those in which there is no link. */
export type Allowed = { readonly leases?: ReadonlySet<string>; readonly emptyNamespaces?: boolean };

/** Everything that pods have left anywhere, a line each; empty on a node without pods. */
async function leftovers(node: CriNode, allowed: Allowed): Promise<readonly string[]> {
  const { space, leasehold, lan } = node;
  const place = lan.node.namespace;
  const links = v.parse(namedSchema, JSON.parse(await place.run(['ip', '-j', 'link', 'show'])));
  const routeText = await place.run(['ip', '-j', 'route', 'show', 'table', 'all', 'proto', OUR_ROUTES]);
  const routes = v.parse(routesSchema, JSON.parse(routeText));
  return [
    ...(await podLeases(node))
      .filter((ip) => allowed.leases?.has(ip) !== true)
      .map((ip) => `lease of ${ip} at the server`),
    ...(await files(join(leasehold.stateDir, 'leases'))).map((name) => `record ${name}`),
    ...(await mountedNamespaces(node, allowed)).map((path) => `namespace ${path}`),
    ...links
      .filter(({ ifname }) => !LINKS_OF_A_NODE.has(ifname))
      .map(({ ifname }) => `link ${ifname} on the node`),
    ...routes.map(({ dst }) => `route to ${dst} on the node`),
    ...(await files(space.path('/var/lib/cni/results')))
      .filter((name) => !name.startsWith('cni-loopback'))
      .map((name) => `the runtime's result ${name}`),
  ];
}

/** Waits until pods have left nothing at the server, on the node and with the runtime; throws with what is still there. */
export async function nothingIsLeft(node: CriNode, allowed: Allowed = {}): Promise<void> {
  let left: readonly string[] = [];
  try {
    await waitFor('pods to leave nothing', async () => (left = await leftovers(node, allowed)).length === 0, {
      deadlineMs: DEADLINE_MS,
    });
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    throw new Error(`${left.length} things are left: ${left.slice(0, 20).join('; ')}`, { cause: error });
  }
}
