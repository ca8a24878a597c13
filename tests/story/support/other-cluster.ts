import type { HomeLan } from '../../../src/lab/home-lan.ts';
import { Namespace } from '../../../src/lab/namespace.ts';
import { namespaceName } from '../../../src/lab/names.ts';
import { API_PORT, SERVICE_NETWORK } from './names.ts';
import { serve } from './talk.ts';

/** Between the router and the other cluster: any network that nobody else has. */
const BETWEEN = {
  router: '172.31.0.1',
  other: '172.31.0.2',
  prefix: 24,
  onRouter: 'beyond0',
  onOther: 'eth0',
};
/** What the other cluster's API server says. */
export const OTHER_API = 'other-cluster';

/** Packets that were seen: `visits` at the other cluster, `leaks` coming out of the cables of the home's machines. */
export type Seen = { readonly visits: number; readonly leaks: number };

const TABLE = 'seen';
/** What is never on a LAN: IPv4 to the service network or to the pods' next hop for it, and ARP that asks for either. */
const NEVER = `{ ${SERVICE_NETWORK}, 169.254.1.1 }`;

function counting(devices: readonly string[]): string {
  const names = devices.map((name) => `"${name}"`).join(', ');
  return `table netdev ${TABLE} {
  chain in {
    type filter hook ingress devices = { ${names} } priority 0; policy accept;
    ip daddr ${NEVER} counter
    arp daddr ip ${NEVER} counter
  }
}
`;
}

async function count(place: Namespace): Promise<number> {
  const text = await place.run(['nft', 'list', 'table', 'netdev', TABLE]);
  return [...text.matchAll(/counter packets (\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}

/**
 * Behind the router, a cluster of somebody else's with the same service network: its API server answers at 10.43.0.1.
 * What comes there, and what leaves by a node's cable on its way there, is counted.
 */
export class OtherCluster {
  readonly namespace: Namespace;
  readonly #router: Namespace;

  private constructor(namespace: Namespace, router: Namespace) {
    this.namespace = namespace;
    this.#router = router;
  }

  /** For a home whose hosts are plugged in. */
  static async create(lan: HomeLan): Promise<OtherCluster> {
    const { router, resources } = lan;
    const namespace = await Namespace.create(namespaceName(lan.prefix, 'other'), resources);
    const { onRouter, onOther, prefix } = BETWEEN;
    const peer = ['peer', 'name', onOther, 'netns', namespace.name];
    await router.ip('link', 'add', onRouter, 'type', 'veth', ...peer);
    await router.ip('addr', 'add', `${BETWEEN.router}/${prefix}`, 'dev', onRouter);
    await router.ip('link', 'set', onRouter, 'up');
    await namespace.ip('addr', 'add', `${BETWEEN.other}/${prefix}`, 'dev', onOther);
    // Every address of its service network is its own: whatever is sent to any of them arrives here.
    await namespace.ip('route', 'add', 'local', SERVICE_NETWORK, 'dev', 'lo');
    await namespace.ip('link', 'set', onOther, 'up');
    await namespace.ip('route', 'add', 'default', 'via', BETWEEN.router);
    await router.ip('route', 'add', SERVICE_NETWORK, 'via', BETWEEN.other);
    // /proc/sys/net shows each process its own namespace's: only the lab's router forwards.
    await router.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
    await namespace.run(['nft', '-f', '-'], { input: counting([onOther]) });
    await router.run(['nft', '-f', '-'], { input: counting(lan.hosts.map(({ port }) => port)) });
    await serve(namespace, OTHER_API, API_PORT, lan);
    return new OtherCluster(namespace, router);
  }

  async seen(): Promise<Seen> {
    const [visits, leaks] = await Promise.all([count(this.namespace), count(this.#router)]);
    return { visits, leaks };
  }
}
