import { join } from 'node:path';
import * as v from 'valibot';
import { API_SERVICE, SERVICE_NETWORK } from '../lab-services.ts';
import { namespaceName } from '../names.ts';
import { Namespace } from '../namespace.ts';
import { startWebServer } from '../web-servers.ts';
import { namespaceOf, type BreakSite } from './break.ts';

const NAME = 'other';
/** The router's way to it. */
const ON_ROUTER = 'other0';
const ON_OTHER = 'eth0';
/** The last usable address of the service network. */
const ROUTER_ADDRESS = '10.43.255.254';
const PREFIX = 16;
const FORWARDING = '/proc/sys/net/ipv4/ip_forward';
const TABLE = 'lab-seen';

const counterSchema = v.object({
  nftables: v.array(v.object({ counter: v.optional(v.object({ packets: v.number() })) })),
});

/** Another cluster behind the router, with the same service network: its API server has the address of ours. */
export async function addOtherCluster(site: BreakSite): Promise<void> {
  const router = namespaceOf(site, 'router');
  const other = await Namespace.create(namespaceName(site.lab.prefix, NAME), site.resources);
  await router.ip('link', 'add', ON_ROUTER, 'type', 'veth', 'peer', 'name', ON_OTHER, 'netns', other.name);
  await router.ip('addr', 'add', `${ROUTER_ADDRESS}/${PREFIX}`, 'dev', ON_ROUTER);
  await router.ip('link', 'set', ON_ROUTER, 'up');
  await other.ip('addr', 'add', `${API_SERVICE.address}/${PREFIX}`, 'dev', ON_OTHER);
  await other.ip('link', 'set', ON_OTHER, 'up');
  await other.ip('route', 'add', 'default', 'via', ROUTER_ADDRESS);
  // /proc/sys/net shows each process its own namespace's: only the lab's router forwards.
  site.save('forwarding', (await router.run(['cat', FORWARDING])).trim());
  await router.run(['sh', '-c', `echo 1 >${FORWARDING}`]);
  await other.run(['nft', '-f', '-'], {
    input: `table ip ${TABLE} {
      counter services {}
      chain in { type filter hook prerouting priority -300; ip daddr ${SERVICE_NETWORK} counter name services; }
    }`,
  });
  await startWebServer(other, {
    name: "another cluster's API server",
    port: API_SERVICE.port,
    logFile: join(site.lab.paths.breaks, 'other-cluster.log'),
    resources: site.resources,
  });
}

/** How many packets to service addresses have arrived at the other cluster. */
export async function packetsAtOtherCluster(site: BreakSite): Promise<number> {
  const other = new Namespace(namespaceName(site.lab.prefix, NAME));
  const said = await other.run(['nft', '-j', 'list', 'counter', 'ip', TABLE, 'services']);
  const { nftables } = v.parse(counterSchema, JSON.parse(said));
  return nftables.find(({ counter }) => counter !== undefined)?.counter?.packets ?? 0;
}

/** The router as it was; the namespace is one of the site's resources. */
export async function forgetOtherCluster(site: BreakSite): Promise<void> {
  const router = namespaceOf(site, 'router');
  await router.runToEnd(['ip', 'link', 'del', ON_ROUTER]);
  const before = site.saved()['forwarding'];
  if (before !== undefined) await router.run(['sh', '-c', `echo ${before === '1' ? 1 : 0} >${FORWARDING}`]);
}
