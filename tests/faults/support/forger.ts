import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cidr } from '../../../src/base/cidr.ts';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import { UPLINK } from '../../../src/lab/host.ts';
import { waitUntilReady } from '../../../src/lab/long-process.ts';

const SCRIPT = join(import.meta.dirname, '../../plugins/support/scripted-server.ts');
/** What the scripted server gives out, outside of the site's pool or in it. */
export const FORGED_ADDRESS = /^192\.168\.2\.2\d\d$/;
const BROADCASTS = '255.255.255.255/32';

export type Forger = {
  readonly mac: string;
  /** From now on its packets come from the address that it pretends to have, too. */
  readonly forgeSource: () => Promise<void>;
};

/**
 * A machine at `address` that answers as DHCP server in the name of `victim` (option 54). It has the victim's address
 * where nobody asks by ARP: on its loopback interface.
 */
export async function startForger(lan: HomeLan, address: string, victim: string): Promise<Forger> {
  const { namespace, state } = await lan.addHost('forger', { address: cidr(`${address}/24`) });
  await namespace.ip('link', 'set', 'lo', 'up');
  await namespace.ip('addr', 'add', `${victim}/32`, 'dev', 'lo');
  // Linux answers ARP for every address of the machine; 1: only for those of the interface (ip-sysctl, arp_ignore).
  await namespace.run(['sh', '-c', `echo 1 >/proc/sys/net/ipv4/conf/${UPLINK}/arp_ignore`]);
  const broadcastFrom = async (source: string): Promise<void> => {
    await namespace.ip('route', 'replace', BROADCASTS, 'dev', UPLINK, 'src', source);
  };
  await broadcastFrom(address);
  const logFile = join(lan.folder, 'forger.log');
  const command = [process.execPath, SCRIPT, victim, address];
  const started = await namespace.start(command, { name: 'forger', logFile }, lan.resources);
  await waitUntilReady(started, async () => (await readFile(logFile, 'utf8')).includes('{"ready":true}'));
  const mac = (await state())?.mac;
  if (mac === undefined) throw new Error('the forger has no interface');
  return { mac, forgeSource: () => broadcastFrom(victim) };
}
