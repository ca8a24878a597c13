import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { networkOf } from '../base/cidr.ts';
import { maskFromPrefix } from '../base/ipv4.ts';
import { parseIscLeases } from './lease-file-isc.ts';
import { waitUntilReady } from './long-process.ts';
import {
  DEFAULT_LEASE_SECONDS,
  listensForDhcp,
  logSince,
  nowSeconds,
  readIfThere,
  serverOf,
  type DhcpServer,
  type ServerSite,
} from './server.ts';

export type IscOptions = {
  readonly kind: 'isc';
  readonly leaseSeconds?: number;
  /** Sends NAK for what it does not know; default true, as home routers are. */
  readonly authoritative?: boolean;
  /** Statements outside of it, as definitions of options have to be. */
  readonly definitions?: readonly string[];
  /** Statements inside the subnet: `option interface-mtu 1400;`. */
  readonly statements?: readonly string[];
};

/** See dhcpd.conf(5). */
function configuration(site: ServerSite, options: IscOptions): string {
  const { first, last } = site.pool;
  const seconds = options.leaseSeconds ?? DEFAULT_LEASE_SECONDS;
  const { address, prefix } = networkOf(site.router);
  const lines = [
    ...((options.authoritative ?? true) ? ['authoritative;'] : []),
    // It would ping an address for a second before it offers it.
    'ping-check false;',
    // Unix time in the lease file, instead of dates to be parsed.
    'db-time-format local;',
    'ddns-update-style none;',
    ...(options.definitions ?? []),
    `default-lease-time ${seconds};`,
    `min-lease-time ${seconds};`,
    `max-lease-time ${seconds};`,
    `subnet ${address} netmask ${maskFromPrefix(prefix)} {`,
    `  range ${first} ${last};`,
    `  option routers ${site.router.address};`,
    ...(options.statements ?? []).map((statement) => `  ${statement}`),
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

/** Starts ISC dhcpd and waits until it takes requests. Nothing of the machine's own dhcpd is used. */
export async function startIsc(site: ServerSite, options: IscOptions): Promise<DhcpServer> {
  const leaseFile = join(site.folder, 'dhcpd.leases');
  const logFile = join(site.folder, 'dhcpd.log');
  const configFile = join(site.folder, 'dhcpd.conf');
  await writeFile(configFile, configuration(site, options));
  // It does not make the file itself, and does not start without it.
  await writeFile(leaseFile, '', { flag: 'a' });
  const said = await logSince(logFile);
  const files = ['-cf', configFile, '-lf', leaseFile, '--no-pid'];
  const command = ['dhcpd', '-4', '-f', '-d', ...files, site.interfaceName];
  const started = await site.namespace.start(command, { name: 'dhcpd', logFile }, site.resources);
  const ready = async (): Promise<boolean> =>
    (await listensForDhcp(site.namespace, started.pid)) && (await said()).includes('Server starting service');
  await waitUntilReady(started, ready, { signal: site.signal });
  return serverOf('isc', started, leaseFile, async () =>
    parseIscLeases(await readIfThere(leaseFile), nowSeconds()),
  );
}
