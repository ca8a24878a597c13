import type { Namespace } from '../../../src/lab/namespace.ts';
import { waitFor } from '../../../src/lab/wait.ts';

const COMMANDS = {
  links: 'ip -d link show',
  addresses: 'ip addr show',
  routes: 'ip -d route show table all',
  'routes of IPv6': 'ip -6 -d route show table all',
  rules: 'ip rule show; ip -6 rule show',
  // What the kernel learned by itself comes and goes; what somebody made is permanent.
  neighbours: 'ip neigh show nud permanent',
  nftables: 'nft list ruleset',
  sysctls: 'cd /proc/sys/net && grep -r . ipv4/conf ipv6/conf ipv4/ip_forward 2>/dev/null | sort',
} as const;

/** Runs: times until an address ends, and counters. */
const RUNNING = /\b(valid_lft|preferred_lft|packets|bytes) \S+/g;

/** The whole of a node's network settings, as lines by part: equal when nothing has changed. */
export async function hostState(node: Namespace): Promise<Readonly<Record<string, readonly string[]>>> {
  const parts: Record<string, readonly string[]> = {};
  for (const [part, command] of Object.entries(COMMANDS)) {
    const text = await node.run(['sh', '-c', command]);
    parts[part] = text.replaceAll(RUNNING, '$1').split('\n');
  }
  return parts;
}

/** The kernel asks for a second whether somebody has its IPv6 address: until then it is not what it will be. */
export async function untilSettled(node: Namespace): Promise<void> {
  await waitFor('IPv6 addresses to be settled', async () => {
    return !(await node.ip('-6', 'addr', 'show', 'tentative')).includes('inet6');
  });
}
