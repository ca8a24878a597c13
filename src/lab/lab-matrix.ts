import { readInterface, UPLINK } from './host.ts';
import { hostNamespace, podOf, type LabHandle } from './lab-handle.ts';
import { servicesOf, type Service } from './lab-services.ts';
import { mapParallel } from './parallel.ts';
import { reachability, type Matrix, type PingOptions, type Station } from './ping.ts';
import type { PodRow } from './pod-row.ts';
import { askWebServer } from './web-servers.ts';

const TRIES = 3;
/** Questions to services at a time. */
const WIDTH = 16;
/** Machines outside of the lab's cluster. */
const OUTSIDE: ReadonlySet<string> = new Set(['router', 'laptop']);

/** Who was asked to reach whom, and did. */
export type Reached = {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly matrix: Matrix;
  readonly services: readonly Service[];
  /** What the node port's server saw as the laptop's address is the laptop's own. */
  readonly clientKept: boolean;
};

/** The plugin `leasehold`, also behind another one, brings node and pods together; `macvlan` alone does not. */
export function hasHostSide(lab: LabHandle): boolean {
  return lab.network.plugins.some(({ type }) => type === 'leasehold');
}

async function stationsOf(lab: LabHandle, rows: readonly PodRow[]): Promise<readonly Station[]> {
  const hosts: Station[] = [];
  for (const name of ['laptop', 'node']) {
    const namespace = hostNamespace(lab.prefix, name);
    const address = (await readInterface(namespace, UPLINK))?.address?.address;
    if (address !== undefined) hosts.push({ name, namespace, address });
  }
  const router = {
    name: 'router',
    namespace: hostNamespace(lab.prefix, 'router'),
    address: lab.routerAddress.address,
  };
  const pods = rows.flatMap(({ pod, view }) =>
    view.address === undefined
      ? []
      : [{ name: pod.name, namespace: podOf(lab, pod).namespace, address: view.address.address }],
  );
  return [router, ...hosts, ...pods];
}

type Asked = { readonly reached: boolean; readonly keptAddress: boolean };

async function askService(from: Station, to: Service, signal?: AbortSignal): Promise<Asked | undefined> {
  if (!to.outside && OUTSIDE.has(from.name)) return undefined;
  const answer = await askWebServer(from.namespace, to, { signal });
  return { reached: answer?.server === to.server, keptAddress: answer?.saw === from.address };
}

/** Everybody pings everybody, and asks every service that is for them. */
export async function measure(
  lab: LabHandle,
  rows: readonly PodRow[],
  { tries = TRIES, signal }: PingOptions = {},
): Promise<Reached> {
  const stations = await stationsOf(lab, rows);
  const services = await servicesOf(lab, rows);
  const pings = await reachability(stations, { tries, signal });
  const asked = await mapParallel(stations, WIDTH, async (from) => {
    const answers: (Asked | undefined)[] = [];
    for (const service of services) answers.push(await askService(from, service, signal));
    return answers;
  });
  const names = stations.map(({ name }) => name);
  const port = services.findIndex(({ outside }) => outside);
  return {
    rows: names,
    columns: [...names, ...services.map(({ name }) => name)],
    matrix: pings.map((row, at) => [...row, ...(asked[at] ?? []).map((one) => one?.reached)]),
    services,
    clientKept: asked[names.indexOf('laptop')]?.[port]?.keptAddress ?? false,
  };
}
