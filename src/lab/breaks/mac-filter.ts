import * as v from 'valibot';
import { readInterface, UPLINK } from '../host.ts';
import type { Namespace } from '../namespace.ts';
import { namespaceOf, type LabBreak } from './break.ts';

const TABLE = 'lab-mac-filter';
const portsSchema = v.array(v.object({ ifname: v.optional(v.string()) }));

/** The router's end of the node's cable: `p1-node`. */
async function portOfNode(router: Namespace): Promise<string> {
  const links = v.parse(portsSchema, JSON.parse(await router.ip('-j', 'link', 'show', 'type', 'veth')));
  const port = links.find(({ ifname }) => ifname?.endsWith('-node'))?.ifname;
  if (port === undefined) throw new Error('the router has no port for the node');
  return port;
}

export const macFilter: LabBreak = {
  name: 'mac-filter',
  does: "The router's port lets only the node's own MAC address pass, as hypervisors and Wi-Fi adapters do.",
  seen: 'Pods and the LAN no longer reach each other, and a new pod gets no address. The node is fine, and so are the services: they come by the node.',
  async make(site) {
    const router = namespaceOf(site, 'router');
    const mac = (await readInterface(namespaceOf(site, 'node'), UPLINK))?.mac;
    if (mac === undefined) throw new Error(`the node has no ${UPLINK}`);
    const rule = `iifname "${await portOfNode(router)}" ether saddr != ${mac} drop`;
    const hook = 'type filter hook prerouting priority -300';
    await router.run(['nft', '-f', '-'], {
      input: `table bridge ${TABLE} { chain port { ${hook}; ${rule}; }\n}\n`,
    });
    site.say(`an nftables rule on the router's bridge: ${rule}`);
  },
  async heal(site) {
    // Made empty first: there may be none.
    await namespaceOf(site, 'router').run(['nft', '-f', '-'], {
      input: `table bridge ${TABLE} {}\ndelete table bridge ${TABLE}\n`,
    });
  },
};
