import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { maskFromPrefix } from '../base/ipv4.ts';
import { parseDnsmasqLeases } from './lease-files.ts';
import { waitUntilReady } from './long-process.ts';
import {
  DEFAULT_LEASE_SECONDS,
  listensForDhcp,
  nowSeconds,
  readSettled,
  serverOf,
  type DhcpServer,
  type ServerSite,
} from './server.ts';

/** Home names end in it (RFC 8375). */
export const HOME_DOMAIN = 'home.arpa';
/** dnsmasq's own bound is 1,000; bursts of pods need more. */
const MAX_LEASES = 65_536;

export type DnsmasqOptions = {
  readonly kind: 'dnsmasq';
  /** dnsmasq raises anything below 120 to 120. */
  readonly leaseSeconds?: number;
  /** Values of `dhcp-option`, as "option:ntp-server,192.168.2.1" or "26,1400". */
  readonly dhcpOptions?: readonly string[];
  /** Takes requests for leases it does not know, and sends NAK; default true, as home routers are. */
  readonly authoritative?: boolean;
  /** Pings an address before offering it, which costs seconds; default false. */
  readonly ping?: boolean;
  /** Further lines of its configuration file. */
  readonly lines?: readonly string[];
};

function configuration(site: ServerSite, options: DnsmasqOptions, leaseFile: string): string {
  const { first, last } = site.pool;
  const router = site.router.address;
  const mask = maskFromPrefix(site.router.prefix);
  const lines = [
    'keep-in-foreground',
    // Not dropped to another user: the lease file is in a folder that only root may enter.
    'user=root',
    'pid-file=',
    'log-facility=-',
    'log-dhcp',
    `interface=${site.interfaceName}`,
    'except-interface=lo',
    'bind-interfaces',
    'no-resolv',
    'no-hosts',
    `domain=${HOME_DOMAIN}`,
    `local=/${HOME_DOMAIN}/`,
    'expand-hosts',
    `host-record=router,router.${HOME_DOMAIN},${router}`,
    `dhcp-range=${first},${last},${mask},${options.leaseSeconds ?? DEFAULT_LEASE_SECONDS}`,
    `dhcp-lease-max=${MAX_LEASES}`,
    `dhcp-leasefile=${leaseFile}`,
    ...((options.authoritative ?? true) ? ['dhcp-authoritative'] : []),
    ...((options.ping ?? false) ? [] : ['no-ping']),
    ...(options.dhcpOptions ?? []).map((option) => `dhcp-option=${option}`),
    ...(options.lines ?? []),
  ];
  return `${lines.join('\n')}\n`;
}

/** Starts dnsmasq and waits until it takes requests. It gives itself as router and DNS server unless told otherwise. */
export async function startDnsmasq(site: ServerSite, options: DnsmasqOptions): Promise<DhcpServer> {
  const leaseFile = join(site.folder, 'dnsmasq.leases');
  const logFile = join(site.folder, 'dnsmasq.log');
  const configFile = join(site.folder, 'dnsmasq.conf');
  await writeFile(configFile, configuration(site, options, leaseFile));
  const command = ['dnsmasq', `--conf-file=${configFile}`];
  const started = await site.namespace.start(command, { name: 'dnsmasq', logFile }, site.resources);
  await waitUntilReady(started, () => listensForDhcp(site.namespace, started.pid), { signal: site.signal });
  return serverOf('dnsmasq', started, leaseFile, async () =>
    parseDnsmasqLeases(await readSettled(leaseFile, started.pid), nowSeconds()),
  );
}
