import { join } from 'node:path';
import * as v from 'valibot';
import { invariant } from '../base/invariant.ts';
import type { Ip } from '../base/ip.ts';
import { ipv4, type Ipv4 } from '../base/ipv4.ts';
import type { Endpoint } from './ask.ts';
import { readInterface, UPLINK } from './host.ts';
import { hostNamespace, podOf, type LabHandle } from './lab-handle.ts';
import { readJson, writeJson, type LabPaths } from './lab-state.ts';
import type { PodRow } from './pod-row.ts';
import type { Resources } from './resources.ts';
import { startWebServer } from './web-servers.ts';

/** The service network of k3s and RKE2 by default; the lab's daemon is told of it. */
export const SERVICE_NETWORK = '10.43.0.0/16';
/** The first address of a cluster's service network is that of its API server. */
export const API_SERVICE: Endpoint = { address: ipv4('10.43.0.1'), port: 443 };
const WEB_SERVICE: Endpoint = { address: ipv4('10.43.0.10'), port: 80 };
/** The first of the range that Kubernetes gives node ports from. */
const NODE_PORT = 30_000;
/** What the servers behind the services listen on. */
const WEB_PORT = 8080;
const API_PORT = 6443;

const schema = v.object({ pod: v.string(), containerId: v.string() });

/** Something that is asked by TCP: a service of the lab's cluster. */
export type Service = Endpoint & {
  /** A column's title. */
  readonly name: string;
  readonly what: string;
  /** The name by which the server behind it answers. */
  readonly server: string;
  /** Whether machines outside of the cluster reach it too. */
  readonly outside: boolean;
};

/**
 * What kube-proxy does for two services and a node port, for one endpoint each: addresses are exchanged on the way in
 * and on the way out of the node, and only what a pod sends to itself gets the node's address (else its own answer would
 * seem to come from itself). Clients outside keep theirs, as under externalTrafficPolicy Local.
 */
function proxyRules(pod: Ip, node: Ipv4): string {
  return `table ip lab-proxy {
  chain services {
    ip daddr ${WEB_SERVICE.address} tcp dport ${WEB_SERVICE.port} dnat to ${pod}:${WEB_PORT}
    ip daddr ${API_SERVICE.address} tcp dport ${API_SERVICE.port} dnat to ${node}:${API_PORT}
    fib daddr type local tcp dport ${NODE_PORT} dnat to ${pod}:${WEB_PORT}
  }
  chain prerouting { type nat hook prerouting priority dstnat; jump services; }
  chain output { type nat hook output priority -100; jump services; }
  chain postrouting { type nat hook postrouting priority srcnat; ip saddr ${pod} ip daddr ${pod} masquerade; }
}
`;
}

function recordOf(paths: LabPaths): string {
  return join(paths.folder, 'services.json');
}

/** A web server in the pod, one on the node, and on the node the rules that lead to them. */
export async function startServices(
  lab: LabHandle,
  { pod, view }: PodRow,
  resources: Resources,
  signal?: AbortSignal,
): Promise<void> {
  const node = hostNamespace(lab.prefix, 'node');
  const nodeAddress = (await readInterface(node, UPLINK))?.address?.address;
  invariant(view.address !== undefined && nodeAddress !== undefined, 'services are for those with addresses');
  const logFile = (name: string): string => join(lab.paths.folder, `web-server-${name}.log`);
  const web = { name: pod.name, port: WEB_PORT, logFile: logFile(pod.name), resources, signal };
  const api = { name: 'node', port: API_PORT, logFile: logFile('node'), resources, signal };
  await Promise.all([startWebServer(podOf(lab, pod).namespace, web), startWebServer(node, api)]);
  await node.run(['nft', '-f', '-'], { input: proxyRules(view.address.address, nodeAddress) });
  writeJson(recordOf(lab.paths), { pod: pod.name, containerId: pod.containerId });
}

/** The pod with the web server; undefined in a lab without services. */
export function servicePodOf(lab: LabHandle): string | undefined {
  return readJson(schema, recordOf(lab.paths))?.pod;
}

/** The services of a lab; none when it has none, or the pod behind them is gone. */
export async function servicesOf(lab: LabHandle, rows: readonly PodRow[]): Promise<readonly Service[]> {
  const record = readJson(schema, recordOf(lab.paths));
  const row = rows.find(({ pod }) => pod.name === record?.pod && pod.containerId === record.containerId);
  const nodeAddress = (await readInterface(hostNamespace(lab.prefix, 'node'), UPLINK))?.address?.address;
  if (row === undefined || nodeAddress === undefined) return [];
  const server = row.pod.name;
  return [
    {
      ...WEB_SERVICE,
      name: 'web',
      what: `a service of the cluster; behind it is a web server in ${server}`,
      server,
      outside: false,
    },
    {
      ...API_SERVICE,
      name: 'api',
      what: 'a service of the cluster; behind it is a server on the node, as the API server is',
      server: 'node',
      outside: false,
    },
    {
      address: nodeAddress,
      port: NODE_PORT,
      name: 'nodeport',
      what: `the web server in ${server} again, for machines outside: by a port of the node`,
      server,
      outside: true,
    },
  ];
}
