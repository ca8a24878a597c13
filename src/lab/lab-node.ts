import * as v from 'valibot';
import { hostNamespace, type LabHandle } from './lab-handle.ts';
import { SERVICE_NETWORK } from './lab-services.ts';
import type { Output } from './lab-output.ts';
import type { Namespace } from './namespace.ts';

/** What the daemon writes on an interface of its own, before the uplink's name. */
const SHIM_ALIAS = 'leasehold: shim of ';
/** rtm_protocol of the daemon's routes. */
const ROUTE_PROTOCOL = '76';
/** The daemon's table in nftables. */
export const GUARD_TABLE = 'leasehold';

const linksSchema = v.array(v.object({ ifname: v.optional(v.string()), ifalias: v.optional(v.string()) }));
const addressesSchema = v.array(
  v.object({ addr_info: v.optional(v.array(v.object({ family: v.string(), local: v.string() }))) }),
);
const routesSchema = v.array(v.object({ dst: v.string() }));

/** The node's second interface on its uplink, by which pods and node reach each other. */
export type Shim = { readonly name: string; readonly uplink: string };

/** What is in force on a shim: its addresses, and the pods' that have a route by it. */
export type ShimState = { readonly addresses: readonly string[]; readonly routes: readonly string[] };

/** Undefined where the daemon made none. */
export async function findShim(node: Namespace): Promise<Shim | undefined> {
  const links = v.parse(linksSchema, JSON.parse(await node.ip('-j', 'link', 'show')));
  const link = links.find(({ ifalias }) => ifalias?.startsWith(SHIM_ALIAS));
  if (link?.ifname === undefined) return undefined;
  return { name: link.ifname, uplink: link.ifalias?.slice(SHIM_ALIAS.length) ?? '' };
}

/** Nothing of either for an interface that is not there. */
export async function readShim(node: Namespace, name: string): Promise<ShimState> {
  const show = async (...what: readonly string[]): Promise<unknown> => {
    const { status, stdout } = await node.runToEnd(['ip', '-j', '-4', ...what, 'dev', name]);
    return JSON.parse(status !== 0 || stdout.trim() === '' ? '[]' : stdout);
  };
  const [addresses, routes] = await Promise.all([
    show('addr', 'show'),
    show('route', 'show', 'proto', ROUTE_PROTOCOL),
  ]);
  return {
    addresses: v
      .parse(addressesSchema, addresses)
      .flatMap((one) => (one.addr_info ?? []).map(({ local }) => local)),
    routes: v.parse(routesSchema, routes).map(({ dst }) => dst),
  };
}

/** Whether the daemon's table is there that keeps service traffic off the LAN. */
export async function isGuarded(node: Namespace): Promise<boolean> {
  return (await node.run(['nft', 'list', 'tables'])).split('\n').includes(`table inet ${GUARD_TABLE}`);
}

/** A few lines on what there is on the node beside its own; nothing where Leasehold put nothing there. */
export async function showNodeSide(output: Output, lab: LabHandle): Promise<void> {
  const node = hostNamespace(lab.prefix, 'node');
  const shim = await findShim(node);
  if (shim === undefined) return;
  const { addresses, routes } = await readShim(node, shim.name);
  const { style, write } = output;
  write(`${style.bold('What Leasehold put on the node')}\n`);
  const line = (name: string, text: string): void => write(`  ${name.padEnd(6)}  ${text}\n`);
  line(shim.name, `a second interface on ${shim.uplink} with the node's own address ${addresses.join(', ')}`);
  line('routes', `to ${routes.join(', ')} by ${shim.name}: node and pods reach each other`);
  if (await isGuarded(node))
    line('guard', `traffic to the cluster's services (${SERVICE_NETWORK}) never leaves by ${shim.uplink}`);
  write('\n');
}
