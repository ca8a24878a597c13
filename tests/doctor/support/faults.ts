import type { Mac } from '../../../src/base/mac.ts';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import type { Host } from '../../../src/lab/host.ts';

// Faults of a LAN, made at the router's end of a host's cable.

async function bridgeRule(lan: HomeLan, hook: string, rule: readonly string[]): Promise<void> {
  const { router } = lan;
  await router.run(['nft', 'add', 'table', 'bridge', 'fault']);
  const type = `{ type filter hook ${hook} priority 0; }`;
  await router.run(['nft', 'add', 'chain', 'bridge', 'fault', hook, type]);
  await router.run(['nft', 'add', 'rule', 'bridge', 'fault', hook, ...rule]);
}

export async function macOf(host: Host): Promise<Mac> {
  const mac = (await host.state())?.mac;
  if (mac === undefined) throw new Error(`${host.name} has a cable`);
  return mac;
}

/** As a hypervisor without MAC spoofing: what does not come from the host's own MAC is dropped. */
export async function dropForeignSources(lan: HomeLan, host: Host): Promise<void> {
  const own = await macOf(host);
  await bridgeRule(lan, 'prerouting', ['iifname', host.port, 'ether', 'saddr', '!=', own, 'drop']);
}

/** As a port group that refuses promiscuous mode: broadcasts and the host's own MAC are delivered, nothing else. */
export async function dropForeignUnicast(lan: HomeLan, host: Host): Promise<void> {
  const own = await macOf(host);
  const unicast = ['ether', 'daddr', '&', '01:00:00:00:00:00', '==', '00:00:00:00:00:00'];
  const rule = ['oifname', host.port, ...unicast, 'ether', 'daddr', '!=', own, 'drop'];
  await bridgeRule(lan, 'postrouting', rule);
}

/** The router's bridge runs a spanning tree, and the host was just plugged in: two seconds of listening, two of learning. */
export async function restartWithSpanningTree(lan: HomeLan, host: Host): Promise<void> {
  const { router } = lan;
  const hundredths = { forward_delay: '200', hello_time: '100', max_age: '600' };
  const times = Object.entries(hundredths).flat();
  await router.ip('link', 'set', 'br0', 'type', 'bridge', 'stp_state', '1', ...times);
  await router.ip('link', 'set', host.port, 'down');
  await router.ip('link', 'set', host.port, 'up');
}
