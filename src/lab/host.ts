import * as v from 'valibot';
import { formatCidr, type Cidr } from '../base/cidr.ts';
import { parseIpv4, type Ipv4 } from '../base/ipv4.ts';
import { parseMac, type Mac } from '../base/mac.ts';
import { findDhcpClient, startDhcpClient, type DhcpClientName } from './dhcp-client.ts';
import { waitUntilReady } from './long-process.ts';
import { namespaceName, portName } from './names.ts';
import { Namespace } from './namespace.ts';
import type { Resources } from './resources.ts';

/** The host's own cable, named as on most machines with one. */
export const UPLINK = 'eth0';

/** By a real DHCP client (the first one installed, or the one named), by hand, or not at all. */
export type AddressSource = 'dhcp' | DhcpClientName | { readonly address: Cidr } | 'none';

/** What an interface has: its MAC address, and its first IPv4 address if there is one. */
export type InterfaceState = { readonly mac: Mac; readonly address: Cidr<Ipv4> | undefined };

/** What `ip -j addr` prints of one interface, as far as it is used; empty objects stand for filtered ones. */
const addressesSchema = v.array(
  v.object({
    address: v.optional(v.string()),
    addr_info: v.optional(
      v.array(v.object({ family: v.string(), local: v.string(), prefixlen: v.number() })),
    ),
  }),
);

/** Undefined when there is no such interface in the namespace. */
export async function readInterface(namespace: Namespace, name: string): Promise<InterfaceState | undefined> {
  const outcome = await namespace.runToEnd(['ip', '-j', 'addr', 'show', 'dev', name]);
  if (outcome.status !== 0) return undefined;
  const [link] = v.parse(addressesSchema, JSON.parse(outcome.stdout));
  const mac = parseMac(link?.address ?? '');
  if (mac === undefined) return undefined;
  const info = link?.addr_info?.find(({ family }) => family === 'inet');
  const address = info === undefined ? undefined : parseIpv4(info.local);
  if (info === undefined || address === undefined) return { mac, address: undefined };
  return { mac, address: { address, prefix: info.prefixlen } };
}

export type HostSite = {
  readonly prefix: string;
  readonly folder: string;
  readonly router: Namespace;
  readonly routerAddress: Cidr<Ipv4>;
  readonly bridge: string;
  readonly port: number;
  readonly resources: Resources;
};

/** A machine at home: a namespace with one cable to the router's bridge. */
export type Host = {
  readonly name: string;
  readonly namespace: Namespace;
  /** Its end of the cable on the router's bridge: taken down there, the host has no carrier. */
  readonly port: string;
  readonly state: () => Promise<InterfaceState | undefined>;
  /** Its IPv4 address; throws when it has none. */
  readonly address: () => Promise<Ipv4>;
  /** Gives it its address; called once, when the router's server runs. */
  readonly configure: (signal?: AbortSignal) => Promise<void>;
};

async function configureByDhcp(
  host: string,
  namespace: Namespace,
  client: DhcpClientName,
  site: HostSite,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { folder, resources } = site;
  const started = await startDhcpClient(namespace, {
    client,
    host,
    interfaceName: UPLINK,
    folder,
    resources,
  });
  const hasAddress = async (): Promise<boolean> =>
    (await readInterface(namespace, UPLINK))?.address !== undefined;
  await waitUntilReady(started, hasAddress, { signal });
}

async function configure(
  host: string,
  namespace: Namespace,
  source: AddressSource,
  site: HostSite,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (source === 'none') return;
  if (typeof source === 'object') {
    await namespace.ip('addr', 'add', formatCidr(source.address), 'dev', UPLINK);
    await namespace.ip('route', 'add', 'default', 'via', site.routerAddress.address);
    return;
  }
  const client = source === 'dhcp' ? await findDhcpClient() : source;
  if (client === undefined)
    throw new Error('no DHCP client is installed; install udhcpc, isc-dhcp-client or dhcpcd');
  await configureByDhcp(host, namespace, client, site, signal);
}

/** Makes the namespace and its cable; the address comes with `configure`. */
export async function createHost(name: string, source: AddressSource, site: HostSite): Promise<Host> {
  const namespace = await Namespace.create(namespaceName(site.prefix, name), site.resources);
  const port = portName(name, site.port);
  // Both ends are made where they belong: nothing appears in the machine's own namespace, not even for a moment.
  const peer = ['peer', 'name', UPLINK, 'netns', namespace.name];
  await site.router.ip('link', 'add', port, 'type', 'veth', ...peer);
  await site.router.ip('link', 'set', port, 'master', site.bridge, 'up');
  await namespace.ip('link', 'set', UPLINK, 'up');
  const state = async (): Promise<InterfaceState | undefined> => await readInterface(namespace, UPLINK);
  return {
    name,
    namespace,
    port,
    state,
    address: async () => {
      const address = (await state())?.address?.address;
      if (address === undefined) throw new Error(`${name} has no IPv4 address on ${UPLINK}`);
      return address;
    },
    configure: async (signal) => await configure(name, namespace, source, site, signal),
  };
}
