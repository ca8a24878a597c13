import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatCidr, networkOf } from '../base/cidr.ts';
import type { Json, JsonObject } from '../base/json.ts';
import { parseKeaLeases } from './lease-files.ts';
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

export type KeaOptions = {
  readonly kind: 'kea';
  readonly leaseSeconds?: number;
  /** Kea's option-data entries, beside the router option. */
  readonly optionData?: readonly JsonObject[];
  readonly authoritative?: boolean;
  /** Writes leases to its CSV file (default); without, it is faster and `leases` stays empty. */
  readonly persist?: boolean;
  /** Merged over the Dhcp4 object. */
  readonly dhcp4?: JsonObject;
};

/** Two seconds: longer than a kernel takes to end a process. */
const SOCKET_RETRIES = 20;
const SOCKET_RETRY_MS = 100;

function configuration(site: ServerSite, options: KeaOptions, leaseFile: string): Json {
  const { first, last } = site.pool;
  const router = { name: 'routers', data: site.router.address };
  const lifetime = options.leaseSeconds ?? DEFAULT_LEASE_SECONDS;
  return {
    Dhcp4: {
      'interfaces-config': {
        interfaces: [site.interfaceName],
        'dhcp-socket-type': 'raw',
        're-detect': false,
        // The socket of one that was killed a moment ago may still be there.
        'service-sockets-max-retries': SOCKET_RETRIES,
        'service-sockets-retry-wait-time': SOCKET_RETRY_MS,
      },
      // The clean-up of the journal runs another program; a lab's life is too short to need it.
      'lease-database': {
        type: 'memfile',
        persist: options.persist ?? true,
        name: leaseFile,
        'lfc-interval': 0,
      },
      'valid-lifetime': lifetime,
      'min-valid-lifetime': lifetime,
      'max-valid-lifetime': lifetime,
      authoritative: options.authoritative ?? true,
      subnet4: [
        {
          id: 1,
          subnet: formatCidr(networkOf(site.router)),
          pools: [{ pool: `${first} - ${last}` }],
          'option-data': [router, ...(options.optionData ?? [])],
        },
      ],
      loggers: [
        { name: 'kea-dhcp4', severity: 'INFO', output_options: [{ output: 'stdout', flush: true }] },
        // One line for each packet would cost more than the exchange itself.
        { name: 'kea-dhcp4.leases', severity: 'WARN' },
      ],
      ...options.dhcp4,
    },
  };
}

/** Starts kea-dhcp4 with a memfile lease store and waits until it takes requests. Nothing of the machine's own Kea is used. */
export async function startKea(site: ServerSite, options: KeaOptions): Promise<DhcpServer> {
  const leaseFile = join(site.folder, 'kea-leases4.csv');
  const logFile = join(site.folder, 'kea.log');
  const configFile = join(site.folder, 'kea-dhcp4.json');
  const run = join(site.folder, 'kea-run');
  await mkdir(run, { recursive: true });
  await writeFile(configFile, JSON.stringify(configuration(site, options, leaseFile), undefined, 2));
  // Its PID and lock files; from 2.6.3 on it also refuses paths outside of these folders.
  const env = {
    KEA_PIDFILE_DIR: run,
    KEA_LOCKFILE_DIR: run,
    KEA_DHCP_DATA_DIR: site.folder,
    KEA_LOG_FILE_DIR: site.folder,
  };
  const said = await logSince(logFile);
  const command = ['kea-dhcp4', '-c', configFile];
  const started = await site.namespace.start(command, { name: 'kea-dhcp4', logFile, env }, site.resources);
  const ready = async (): Promise<boolean> =>
    (await listensForDhcp(site.namespace, started.pid)) &&
    // The socket is bound before the pools are usable; this line comes after both.
    (await said()).includes('DHCP4_STARTED');
  await waitUntilReady(started, ready, { signal: site.signal });
  return serverOf('kea', started, leaseFile, async () =>
    parseKeaLeases(await readIfThere(leaseFile), nowSeconds()),
  );
}
