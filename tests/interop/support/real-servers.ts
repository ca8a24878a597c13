import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ipv4ToNumber, maskFromPrefix, type Ipv4 } from '../../../src/base/ipv4.ts';
import { BRIDGE, type HomeLan } from '../../../src/lab/home-lan.ts';
import { waitUntilReady } from '../../../src/lab/long-process.ts';
import type { RealServer } from '../../../src/lab/server-start.ts';
import { listensForDhcp, readIfThere } from '../../../src/lab/server.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { SystemdHost } from '../../install/support/systemd-host.ts';
import { T1_SECONDS, T2_SECONDS } from './times.ts';

/** Options without a name in some servers' configurations (RFC 8925, RFC 3442). */
const CODE = { v6Only: 108, classlessRoutes: 121 } as const;
/** A route of option 121 that nothing else leads to, and its bytes (RFC 3442) with the router's 192.168.2.1 behind it. */
export const CLASSLESS_ROUTE = '10.77.0.0/16';
const CLASSLESS_ROUTE_HEX = '100a4dc0a80201';
/** V6ONLY_WAIT of option 108, seconds (RFC 8925 3.1). */
const V6ONLY_WAIT = 1800;
const V6ONLY_WAIT_HEX = '00000708';
const V6ONLY_WAIT_COLONS = '00:00:07:08';
/** Seconds, where T1 and T2 cannot be set: T1 after a half, T2 after seven eighths (RFC 2131 4.4.5). */
const SHORT_LEASE = 12;
/** dnsmasq takes no less. */
const DNSMASQ_LEASE = 120;

/** A server that runs on the router of a home. */
export type RunningServer = AsyncDisposable & {
  /** Has it send FORCERENEW to all its clients; undefined where there is no way to ask for that. */
  readonly forceRenew: (() => Promise<void>) | undefined;
  /** Whether its own list of leases has the address. */
  readonly holds: (address: Ipv4) => Promise<boolean>;
};

export type InteropServer = {
  readonly name: string;
  /** Debian's package. */
  readonly pack: string;
  readonly start: (lan: HomeLan) => Promise<RunningServer>;
};

function ofTheLab(options: RealServer): InteropServer['start'] {
  return async (lan) => {
    await lan.startServer(options);
    // Its process ends with the home.
    return {
      forceRenew: undefined,
      holds: async (address) => (await lan.server.leases()).some(({ ip }) => ip === address),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  };
}

const dnsmasq = ofTheLab({
  kind: 'dnsmasq',
  leaseSeconds: DNSMASQ_LEASE,
  dhcpOptions: [
    `option:T1,${T1_SECONDS}`,
    `option:T2,${T2_SECONDS}`,
    `${CODE.v6Only},${V6ONLY_WAIT_COLONS}`,
    `option:classless-static-route,${CLASSLESS_ROUTE},192.168.2.1`,
  ],
  lines: ['dhcp-rapid-commit'],
});

function raw(code: number, hex: string): { code: number; 'csv-format': boolean; data: string } {
  return { code, 'csv-format': false, data: hex };
}

const kea = ofTheLab({
  kind: 'kea',
  leaseSeconds: SHORT_LEASE,
  optionData: [raw(CODE.v6Only, V6ONLY_WAIT_HEX), raw(CODE.classlessRoutes, CLASSLESS_ROUTE_HEX)],
  dhcp4: { 'renew-timer': T1_SECONDS, 'rebind-timer': T2_SECONDS, 'calculate-tee-times': false },
});

const isc = ofTheLab({
  kind: 'isc',
  leaseSeconds: SHORT_LEASE,
  definitions: [
    `option v6-only-preferred code ${CODE.v6Only} = unsigned integer 32;`,
    `option classless-static-routes code ${CODE.classlessRoutes} = string;`,
  ],
  statements: [
    `option v6-only-preferred ${V6ONLY_WAIT};`,
    `option classless-static-routes ${CLASSLESS_ROUTE_HEX.replace(/..(?=.)/g, '$&:')};`,
    `option dhcp-renewal-time ${T1_SECONDS};`,
    `option dhcp-rebinding-time ${T2_SECONDS};`,
  ],
});

const udhcpd = ofTheLab({
  kind: 'udhcpd',
  leaseSeconds: SHORT_LEASE,
  opts: [`${CODE.v6Only} ${V6ONLY_WAIT_HEX}`, `staticroutes ${CLASSLESS_ROUTE} 192.168.2.1`],
});

/** systemd-networkd as a router has it; see systemd.network(5), section [DHCPServer]. */
async function networkd(lan: HomeLan): Promise<RunningServer> {
  const { routerAddress, pool, router } = lan;
  const [first, last] = [ipv4ToNumber(pool.first), ipv4ToNumber(pool.last)];
  const folder = '/etc/systemd/network';
  const network = ipv4ToNumber(routerAddress.address) & ipv4ToNumber(maskFromPrefix(routerAddress.prefix));
  const file = [
    '[Match]',
    `Name=${BRIDGE}`,
    '[Network]',
    `Address=${routerAddress.address}/${routerAddress.prefix}`,
    'LinkLocalAddressing=no',
    'DHCPServer=yes',
    '[DHCPServer]',
    `PoolOffset=${first - (network >>> 0)}`,
    `PoolSize=${last - first + 1}`,
    `DefaultLeaseTimeSec=${SHORT_LEASE}`,
    `MaxLeaseTimeSec=${SHORT_LEASE}`,
    'EmitDNS=no',
    `SendOption=${CODE.v6Only}:uint32:${V6ONLY_WAIT}`,
    `SendOption=${CODE.classlessRoutes}:string:${CLASSLESS_ROUTE_HEX.replace(/../g, String.raw`\x$&`)}`,
    '',
  ];
  const host = await SystemdHost.boot(lan, router);
  // 252 configures one that is there already again and again, until it gives up with ERANGE.
  try {
    await router.ip('addr', 'flush', 'dev', BRIDGE);
    await mkdir(host.path(folder), { recursive: true });
    await writeFile(host.path(`${folder}/lan.network`), file.join('\n'));
    // With a /sys that can be written it waits for udev, of which there is none.
    await host.must(['mount', '-o', 'remount,bind,ro', '/sys']);
    await host.must(['systemctl', 'start', 'dbus', 'systemd-networkd']);
    const log = async (): Promise<string> =>
      (await host.run(['journalctl', '--no-pager', '-u', 'systemd-networkd'])).stdout.slice(-3000);
    await waitFor('networkd to serve', async () => /:67\s/.test((await host.run(['ss', '-lnu'])).stdout), {
      deadlineMs: 20_000,
      describe: log,
    });
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
  return {
    forceRenew: async () => void (await host.must(['networkctl', 'forcerenew', BRIDGE])),
    // "Offered DHCP leases: 192.168.2.180 (to 02:5e:...)"
    holds: async (address) =>
      (await host.must(['networkctl', 'status', '--no-pager', BRIDGE])).includes(`${address} (`),
    [Symbol.asyncDispose]: async () => await host[Symbol.asyncDispose](),
  };
}

async function coredhcp(lan: HomeLan): Promise<RunningServer> {
  const { router, routerAddress, pool, resources } = lan;
  const folder = join(lan.folder, 'coredhcp');
  await mkdir(folder);
  const leases = join(folder, 'leases.txt');
  const plugins = [
    `lease_time: ${SHORT_LEASE}s`,
    `server_id: ${routerAddress.address}`,
    `router: ${routerAddress.address}`,
    `netmask: ${maskFromPrefix(routerAddress.prefix)}`,
    `staticroute: ${CLASSLESS_ROUTE},${routerAddress.address}`,
    `range: ${leases} ${pool.first} ${pool.last} ${SHORT_LEASE}s`,
  ];
  const config = join(folder, 'config.yml');
  const listen = `    listen: "0.0.0.0%${BRIDGE}:67"`;
  const lines = ['server4:', listen, '    plugins:', ...plugins.map((plugin) => `        - ${plugin}`), ''];
  await writeFile(config, lines.join('\n'));
  const logFile = join(folder, 'coredhcp.log');
  const command = ['coredhcp', '--conf', config];
  const started = await router.start(command, { name: 'coredhcp', logFile }, resources);
  await waitUntilReady(started, async () => await listensForDhcp(router, started.pid));
  return {
    forceRenew: undefined,
    // One line for each: MAC, address, end.
    holds: async (address) => (await readIfThere(leases)).split(/\s/).includes(address),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

export const SERVERS: readonly InteropServer[] = [
  { name: 'dnsmasq', pack: 'dnsmasq-base', start: dnsmasq },
  { name: 'Kea', pack: 'kea-dhcp4-server', start: kea },
  { name: 'ISC dhcpd', pack: 'isc-dhcp-server', start: isc },
  { name: 'udhcpd', pack: 'udhcpd', start: udhcpd },
  { name: 'systemd-networkd', pack: 'systemd', start: networkd },
  { name: 'coredhcp', pack: 'coredhcp-server', start: coredhcp },
];
