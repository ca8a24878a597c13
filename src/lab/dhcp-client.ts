import { access, constants, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unreachable } from '../base/invariant.ts';
import type { LongProcess } from './long-process.ts';
import type { Namespace } from './namespace.ts';
import { systemEnv } from './process.ts';
import type { Resources } from './resources.ts';

/** DHCP clients of Debian that a lab host can run, the plainest first. */
export const DHCP_CLIENTS = ['udhcpc', 'dhclient', 'dhcpcd'] as const;
export type DhcpClientName = (typeof DHCP_CLIENTS)[number];

/** The full path of a command, or undefined. */
export async function findCommand(name: string): Promise<string | undefined> {
  for (const folder of systemEnv()['PATH']?.split(':') ?? []) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      continue; // not in this folder: that is what the search is for
    }
  }
  return undefined;
}

export async function findDhcpClient(): Promise<DhcpClientName | undefined> {
  for (const name of DHCP_CLIENTS) {
    if ((await findCommand(name)) !== undefined) return name;
  }
  return undefined;
}

/**
 * Applies what udhcpc or dhclient was given to its own interface and nothing else. The distributions' scripts write
 * /etc/resolv.conf, run hooks and restart services: none of that may happen on the machine that runs the lab.
 */
const SCRIPT = `#!/bin/sh
set -eu
if [ -n "\${reason:-}" ]; then # dhclient-script(8)
  event=$reason
  address=\${new_ip_address:-}
  mask=\${new_subnet_mask:-}
  routers=\${new_routers:-}
else # udhcpc: the event is the argument
  event=$1
  address=\${ip:-}
  mask=\${subnet:-}
  routers=\${router:-}
fi
case $event in
PREINIT) ip link set "$interface" up ;;
BOUND | RENEW | REBIND | REBOOT | bound | renew)
  ip addr replace "$address/$mask" dev "$interface"
  for router in $routers; do
    ip route replace default via "$router" dev "$interface"
    break
  done
  ;;
EXPIRE | FAIL | STOP | RELEASE | deconfig)
  ip link set "$interface" up
  ip -4 addr flush dev "$interface"
  ;;
esac
`;

type Site = {
  readonly folder: string;
  readonly script: string;
  readonly interfaceName: string;
  readonly host: string;
};

function commandOf(client: DhcpClientName, site: Site): readonly string[] {
  const { folder, script, interfaceName, host } = site;
  switch (client) {
    case 'udhcpc':
      return [
        'udhcpc',
        '-f',
        '-R',
        '-i',
        interfaceName,
        '-s',
        script,
        '-t',
        '10',
        '-T',
        '1',
        '-A',
        '1',
        '-x',
        `hostname:${host}`,
      ];
    case 'dhclient':
      return [
        'dhclient',
        '-4',
        '-d',
        '-cf',
        join(folder, 'dhclient.conf'),
        '-lf',
        join(folder, 'dhclient.leases'),
        '-pf',
        join(folder, 'dhclient.pid'),
        '-sf',
        script,
        interfaceName,
      ];
    case 'dhcpcd':
      // Its state folders are compiled in: a mount namespace of its own puts empty ones over the machine's.
      return [
        'unshare',
        '--mount',
        'sh',
        '-c',
        'for d in /run/dhcpcd /var/lib/dhcpcd; do [ ! -d $d ] || mount -t tmpfs none $d; done; exec "$@"',
        'sh',
        'dhcpcd',
        '-4',
        '-B',
        '-f',
        join(folder, 'dhcpcd.conf'),
        '-c',
        '/bin/true',
        '-h',
        host,
        interfaceName,
      ];
    default:
      return unreachable(client);
  }
}

/** Starts a DHCP client for one interface of a host and does not wait for its address. `folder` is the host's own. */
export async function startDhcpClient(
  namespace: Namespace,
  options: {
    readonly client: DhcpClientName;
    readonly host: string;
    readonly interfaceName: string;
    readonly folder: string;
    readonly resources: Resources;
  },
): Promise<LongProcess> {
  const { client, folder, host, interfaceName } = options;
  await mkdir(folder, { recursive: true });
  const script = join(folder, 'dhcp-script');
  await Promise.all([
    writeFile(script, SCRIPT, { mode: 0o755 }),
    writeFile(
      join(folder, 'dhclient.conf'),
      `send host-name "${host}";\nrequest subnet-mask, routers;\nretry 1;\n`,
    ),
    writeFile(
      join(folder, 'dhcpcd.conf'),
      'noipv4ll\nnoarp\nnohook resolv.conf\noption subnet_mask, routers\n',
    ),
  ]);
  return await namespace.start(
    commandOf(client, { folder, script, interfaceName, host }),
    { name: `${client} of ${host}`, logFile: join(folder, `${client}.log`) },
    options.resources,
  );
}
