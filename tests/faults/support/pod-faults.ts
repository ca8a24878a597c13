import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import { waitUntilReady, type LongProcess } from '../../../src/lab/long-process.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';
import type { Pod } from '../../../src/lab/pods.ts';
import type { Site } from '../../plugins/support/site.ts';

/** What somebody in a pod, or with its namespace in hand, does to the pod's own network. */

/** A kill switch, as VPN containers have one. */
export async function dropByIptables(pod: Namespace): Promise<void> {
  for (const chain of ['OUTPUT', 'INPUT']) await pod.run(['iptables', '-w', '-P', chain, 'DROP']);
}

/** A table of chains that drop everything at these hooks. */
async function dropAt(pod: Namespace, table: string, hooks: readonly string[]): Promise<void> {
  const chains = hooks.map(
    (hook, at) => `chain c${at} { type filter hook ${hook} priority 0; policy drop; }`,
  );
  await pod.run(['nft', '-f', '-'], { input: `table ${table} {\n${chains.join('\n')}\n}\n` });
}

export async function dropByNftables(pod: Namespace): Promise<void> {
  await dropAt(pod, 'inet kill', ['output', 'postrouting', 'prerouting', 'input']);
}

/** Below IP: ARP too, and what packet sockets in the pod send. */
export async function dropAtInterface(pod: Namespace): Promise<void> {
  await dropAt(pod, 'netdev kill', ['egress device "eth0"', 'ingress device "eth0"']);
}

export async function removeAddressAndRoutes(pod: Namespace): Promise<void> {
  await pod.ip('route', 'flush', 'dev', 'eth0');
  await pod.ip('addr', 'flush', 'dev', 'eth0');
}

/** Another network that comes first in the pod: with an address of its own, and a way to everywhere. */
export async function addOtherInterface(pod: Namespace): Promise<void> {
  await pod.ip('link', 'add', 'other0', 'type', 'veth', 'peer', 'name', 'other1');
  await pod.ip('link', 'set', 'other1', 'up');
  await pod.ip('link', 'set', 'other0', 'up');
  await pod.ip('addr', 'add', '10.99.0.2/24', 'dev', 'other0');
  await pod.ip('route', 'append', 'default', 'via', '10.99.0.1', 'metric', '1');
}

export type PortHolder = {
  readonly process: LongProcess;
  /** What it got so far. */
  readonly got: () => Promise<readonly string[]>;
};

/** A process in the pod has UDP port 68: `alone` without SO_REUSEADDR, `shared` with it. */
export async function holdPort68(site: Site, pod: Pod, how: 'alone' | 'shared'): Promise<PortHolder> {
  const logFile = join(site.lan.folder, `${pod.name}-udp68.log`);
  const script = join(import.meta.dirname, 'udp68.ts');
  const name = `process on port 68 in ${pod.name}`;
  const command = [process.execPath, script, how];
  const started = await pod.namespace.start(command, { name, logFile }, site.lan.resources);
  const lines = async (): Promise<readonly string[]> => (await readFile(logFile, 'utf8')).split('\n');
  await waitUntilReady(started, async () => (await lines()).includes('ready'));
  return {
    process: started,
    got: async () => (await lines()).flatMap((line) => (line.startsWith('got ') ? [line.slice(4)] : [])),
  };
}

/** What a third machine sends to port 68, from the port of a DHCP server and from another one. */
export const DATAGRAMS = ['from 67', 'from another port'] as const;

/** A third machine sends each of DATAGRAMS to that pod, ten times a second, until the site ends. */
export async function sendToPort68(site: Site, from: Namespace, to: Ipv4): Promise<void> {
  const logFile = join(site.lan.folder, `${to}-sender.log`);
  const command = [process.execPath, join(import.meta.dirname, 'to-udp68.ts'), to, ...DATAGRAMS];
  const started = await from.start(command, { name: `sender to ${to}`, logFile }, site.lan.resources);
  await waitUntilReady(started, async () => (await readFile(logFile, 'utf8')).includes('ready'));
}
