import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cidr, formatCidr } from '../../base/cidr.ts';
import { ipv4 } from '../../base/ipv4.ts';
import { BRIDGE } from '../home-lan.ts';
import { createHost, UPLINK } from '../host.ts';
import { portName } from '../names.ts';
import { startDhcpServer } from '../server-start.ts';
import {
  checkNoGuest,
  DHCP_SERVER,
  namespaceOf,
  pauseProcess,
  resumeProcess,
  type BreakSite,
  type LabBreak,
} from './break.ts';
import { sayRefusal, tryGuest } from './try-guest.ts';

const NAME = 'rogue';
/** Far from those of the home's machines. */
export const ROGUE_PORT = 90;
const ADDRESS = ipv4('192.168.66.1');
const PREFIX = 24;
const POOL = { first: ipv4('192.168.66.50'), last: ipv4('192.168.66.99') };

async function plugIn(site: BreakSite): Promise<void> {
  const { lab, resources } = site;
  const folder = join(lab.paths.breaks, NAME);
  await mkdir(folder, { recursive: true });
  const router = { address: ADDRESS, prefix: PREFIX };
  const host = await createHost(NAME, 'none', {
    prefix: lab.prefix,
    folder,
    router: namespaceOf(site, 'router'),
    routerAddress: router,
    bridge: BRIDGE,
    port: ROGUE_PORT,
    resources,
  });
  await host.namespace.ip('addr', 'add', formatCidr(router), 'dev', UPLINK);
  const where = { namespace: host.namespace, interfaceName: UPLINK, router, pool: POOL, folder, resources };
  await startDhcpServer(where, { kind: 'dnsmasq', authoritative: false });
}

/** Two servers, the quicker one wins: for the time of one ADD the router's is not quick. */
async function showGuest(site: BreakSite): Promise<void> {
  pauseProcess(site, DHCP_SERVER);
  try {
    const refusal = await tryGuest(site);
    if (refusal === undefined) return;
    site.say('a pod that asked while the router was slow is not attached; its runtime is told:');
    sayRefusal(site, refusal);
  } finally {
    resumeProcess(site, DHCP_SERVER);
  }
}

export const rogueServer: LabBreak = {
  name: 'rogue-server',
  does: 'Somebody plugs in a second router, which gives out addresses of another network with itself as router.',
  seen: `Whoever asks gets what the quicker server says, an address of ${formatCidr(cidr('192.168.66.0/24'))}. The node has no such network, so Leasehold does not attach the pod, and says why. Pods that run keep what they have.`,
  // Its guest must reach it, and comes and goes by the daemon; the router's server is made to wait.
  notWith: ['mac-filter', 'no-server', 'service-leak'],
  async make(site) {
    checkNoGuest(site);
    await plugIn(site);
    site.say(`a DHCP server at ${ADDRESS} gives out ${POOL.first} to ${POOL.last}`);
    await showGuest(site);
  },
  async heal(site) {
    // The kernel removes it with the namespace, but a moment later: the next one would find the name taken.
    await namespaceOf(site, 'router').runToEnd(['ip', 'link', 'del', portName(NAME, ROGUE_PORT)]);
  },
};
