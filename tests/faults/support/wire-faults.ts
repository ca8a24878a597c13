import type { Mac } from '../../../src/base/mac.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';

/** Takes the fault away again. */
export type Undo = () => Promise<void>;

/** Marks what was copied once; a mark does not leave its namespace (skb_scrub_packet). */
const COPIED_MARK = '0x1eafc0de';

async function rules(namespace: Namespace, table: string, chains: readonly string[]): Promise<Undo> {
  const ruleset = `table netdev ${table} {\n${chains.join('\n')}\n}\n`;
  await namespace.run(['nft', '-f', '-'], { input: ruleset });
  return async () => {
    await namespace.run(['nft', 'delete', 'table', 'netdev', table]);
  };
}

function chain(name: string, hook: 'ingress' | 'egress', dev: string, rule: string): string {
  return `chain ${name} {\ntype filter hook ${hook} device "${dev}" priority 0;\n${rule}\n}`;
}

/**
 * Loses so many percent of what goes over an interface, each way by itself. On the router's port and not in the node: a
 * packet socket there would still see what a rule in the node throws away (ptype_all comes before the ingress hook).
 */
export async function lose(router: Namespace, port: string, percent: number): Promise<Undo> {
  const rule = `numgen random mod 100 < ${percent} drop`;
  return await rules(router, 'lossy', [
    chain('arriving', 'ingress', port, rule),
    chain('leaving', 'egress', port, rule),
  ]);
}

/** Sends every frame that leaves by the interface twice. */
export async function duplicate(namespace: Namespace, dev: string): Promise<Undo> {
  const rule = `meta mark != ${COPIED_MARK} meta mark set ${COPIED_MARK} dup to "${dev}"`;
  return await rules(namespace, 'twice', [chain('leaving', 'egress', dev, rule)]);
}

/** Unicast requests of one client do not reach the server; broadcasts do. On the router's port, as above. */
export async function dropUnicastRequests(router: Namespace, port: string, client: Mac): Promise<Undo> {
  const rule = `ether saddr ${client} ether daddr != ff:ff:ff:ff:ff:ff udp dport 67 drop`;
  return await rules(router, `deaf-${client.replaceAll(':', '')}`, [
    chain('arriving', 'ingress', port, rule),
  ]);
}
