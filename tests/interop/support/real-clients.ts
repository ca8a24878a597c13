import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import { mac, type Mac } from '../../../src/base/mac.ts';
import { readInterface, UPLINK } from '../../../src/lab/host.ts';
import { killProcess, signalProcess, type LongProcess } from '../../../src/lab/long-process.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';
import { linkOf } from '../../plugins/support/kernel-view.ts';
import type { Seen } from '../../plugins/support/scripted.ts';
import { macvlan, networkOf } from '../../plugins/support/site.ts';
import type { ClientLan } from './client-lan.ts';

/** What the scripted server does to it, and whether it looks for others with its address before it takes it. */
export type Asked = { readonly behaviour: string; readonly probes: boolean };

/** A client that runs. */
export type ClientRun = {
  readonly mac: Mac;
  /** What the server got of it, in order. */
  readonly seen: () => Promise<readonly Seen[]>;
  /** Undefined: none. */
  readonly address: () => Promise<Ipv4 | undefined>;
  /** Has it give its lease back. */
  readonly release: () => Promise<void>;
  /** Ends the program without a word to the server, and starts it again. */
  readonly restart: () => Promise<void>;
  /** The LAN's end of its cable. */
  readonly port: string;
};

export type InteropClient = {
  readonly name: string;
  /** Debian's package; undefined: ours. */
  readonly pack: string | undefined;
  readonly start: (lan: ClientLan, asked: Asked) => Promise<ClientRun>;
};

/** A pod's interface may not be there yet. */
async function addressIn(namespace: Namespace): Promise<Ipv4 | undefined> {
  return (await readInterface(namespace, UPLINK))?.address?.address;
}

const leasehold: InteropClient = {
  name: 'Leasehold',
  pack: undefined,
  start: async (lan, { behaviour, probes }) => {
    const { site, scripted } = lan;
    const client = lan.newMac();
    const provide = [{ option: 'host-name', value: behaviour }];
    const ipam = { provide, ...(probes ? { conflictCheck: 'before' } : {}) };
    const network = networkOf([macvlan({ mac: client }, ipam)]);
    const pod = await site.pod();
    // What the server does may be that no ADD comes to a good end: what it got is looked at all the same.
    const added = site.attach(network, pod).catch(() => undefined);
    return {
      mac: client,
      seen: async () => await scripted.from(client),
      address: async () => await addressIn(pod.namespace),
      release: async () => {
        await added;
        await site.daemon.runtime.del(network, pod.attachment);
      },
      restart: async () => await site.daemon.restart(),
      port: site.lan.node.port,
    };
  },
};

/** A program on a machine of its own. */
type Program = {
  readonly command: (folder: string, asked: Asked) => Promise<readonly string[]>;
  readonly releases: NodeJS.Signals;
};

function programOn(name: string, pack: string, { command, releases }: Program): InteropClient {
  const start: InteropClient['start'] = async (lan, asked) => {
    const { site, scripted } = lan;
    const host = await site.lan.addHost(lan.newName(name), 'none');
    const folder = join(site.lan.folder, host.name);
    await mkdir(folder);
    const words = await command(folder, asked);
    const logFile = join(folder, `${name}.log`);
    const run = async (): Promise<LongProcess> =>
      await host.namespace.start(words, { name: host.name, logFile }, site.lan.resources);
    const client = mac((await linkOf(host.namespace)).address);
    let running = await run();
    return {
      mac: client,
      seen: async () => await scripted.from(client),
      address: async () => await addressIn(host.namespace),
      release: () => Promise.resolve(signalProcess(running, releases)),
      restart: async () => {
        await killProcess(running);
        running = await run();
      },
      port: host.port,
    };
  };
  return { name, pack, start };
}

/**
 * Debian's /etc/dhcpcd.conf as far as it speaks of DHCPv4; no look at the address where a row is not about that, for it
 * would take five seconds each time. Its state is where a second run finds it, and not the machine's.
 */
const dhcpcd = programOn('dhcpcd', 'dhcpcd-base', {
  releases: 'SIGALRM',
  command: async (folder, { behaviour, probes }) => {
    const config = join(folder, 'dhcpcd.conf');
    const state = join(folder, 'state');
    await mkdir(state);
    const lines = [
      'duid',
      'persistent',
      'vendorclassid',
      'option domain_name_servers, domain_name, domain_search',
      'option classless_static_routes',
      'option interface_mtu',
      'option host_name',
      'option rapid_commit',
      'require dhcp_server_identifier',
      'noipv4ll',
      ...(probes ? [] : ['noarp']),
    ];
    await writeFile(config, `${lines.join('\n')}\n`);
    const away = `set -e; mount -t tmpfs none /run; mount --bind ${state} /var/lib/dhcpcd; exec "$@"`;
    const own = ['-4', '-B', '-f', config, '-c', '/bin/true', '-h', behaviour, UPLINK];
    return ['unshare', '--mount', 'sh', '-c', away, 'sh', 'dhcpcd', ...own];
  },
});

/** Sets the address and nothing else of the machine; see udhcpc(8) for the words that it is called with. */
const UDHCPC_SCRIPT = `#!/bin/sh
case $1 in
bound | renew) ip -4 addr flush dev "$interface"; ip addr add "$ip/\${mask:-24}" dev "$interface" ;;
deconfig) ip link set "$interface" up; ip -4 addr flush dev "$interface" ;;
esac
`;

const udhcpc = programOn('udhcpc', 'udhcpc', {
  releases: 'SIGUSR2',
  command: async (folder, { behaviour, probes }) => {
    const script = join(folder, 'script');
    await writeFile(script, UDHCPC_SCRIPT, { mode: 0o755 });
    const own = ['-f', '-i', UPLINK, '-s', script, '-x', `hostname:${behaviour}`];
    return ['udhcpc', ...own, ...(probes ? ['-a'] : [])];
  },
});

/** Ours first: the others are what it is compared with. */
export const CLIENTS: readonly InteropClient[] = [leasehold, dhcpcd, udhcpc];
