import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ipv4ToNumber, maskFromPrefix } from '../base/ipv4.ts';
import { isErrno } from './errno.ts';
import { parseUdhcpdLeases } from './lease-file-udhcpd.ts';
import type { ServerLease } from './lease-files.ts';
import { isRunning, signalProcess, waitUntilReady, type LongProcess } from './long-process.ts';
import {
  DEFAULT_LEASE_SECONDS,
  listensForDhcp,
  nowSeconds,
  serverOf,
  type DhcpServer,
  type ServerSite,
} from './server.ts';
import { waitFor } from './wait.ts';

export type UdhcpdOptions = {
  readonly kind: 'udhcpd';
  readonly leaseSeconds?: number;
  /** Values of `opt`, as "mtu 1400". */
  readonly opts?: readonly string[];
};

function configuration(site: ServerSite, options: UdhcpdOptions, files: Files): string {
  const { first, last } = site.pool;
  const lines = [
    `start ${first}`,
    `end ${last}`,
    `max_leases ${ipv4ToNumber(last) - ipv4ToNumber(first) + 1}`,
    `interface ${site.interfaceName}`,
    `lease_file ${files.leases}`,
    `pidfile ${files.pid}`,
    `notify_file ${files.notify}`,
    // Written when it is asked for, see leasesNow.
    'auto_time 0',
    // Else it raises what a client asks for to a minute.
    'min_lease 1',
    `opt lease ${options.leaseSeconds ?? DEFAULT_LEASE_SECONDS}`,
    `opt subnet ${maskFromPrefix(site.router.prefix)}`,
    `opt router ${site.router.address}`,
    ...(options.opts ?? []).map((opt) => `opt ${opt}`),
  ];
  return `${lines.join('\n')}\n`;
}

type Files = {
  readonly leases: string;
  readonly pid: string;
  readonly notify: string;
  /** A whole copy of the lease file: udhcpd writes its own in place. */
  readonly copy: string;
};

async function readBytes(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** SIGUSR1 has it write its file and then call the script that copies it; one that has ended wrote it at its end. */
async function leasesNow(files: Files, server: LongProcess): Promise<readonly ServerLease[]> {
  if (!isRunning(server)) {
    return parseUdhcpdLeases((await readBytes(files.leases)) ?? new Uint8Array(), nowSeconds());
  }
  await rm(files.copy, { force: true });
  signalProcess(server, 'SIGUSR1');
  return parseUdhcpdLeases(
    await waitFor('udhcpd to write its leases', async () => await readBytes(files.copy)),
    nowSeconds(),
  );
}

/** Starts busybox udhcpd and waits until it takes requests. It keeps its leases from one start to the next. */
export async function startUdhcpd(site: ServerSite, options: UdhcpdOptions): Promise<DhcpServer> {
  const inside = (name: string): string => join(site.folder, name);
  const logFile = inside('udhcpd.log');
  const files = {
    leases: inside('udhcpd.leases'),
    pid: inside('udhcpd.pid'),
    notify: inside('udhcpd-notify'),
    copy: inside('udhcpd.copy'),
  };
  const script = `#!/bin/sh\ncp "$1" '${files.copy}.new' && mv '${files.copy}.new' '${files.copy}'\n`;
  await writeFile(files.notify, script, { mode: 0o755 });
  await writeFile(files.leases, '', { flag: 'a' });
  const configFile = inside('udhcpd.conf');
  await writeFile(configFile, configuration(site, options, files));
  // -a 0: no ARP probe before an offer, which would take two seconds.
  const command = ['udhcpd', '-f', '-a', '0', configFile];
  const started = await site.namespace.start(command, { name: 'udhcpd', logFile }, site.resources);
  await waitUntilReady(started, () => listensForDhcp(site.namespace, started.pid), { signal: site.signal });
  // One after another: two signals at once would be one copy.
  let last: Promise<unknown> = Promise.resolve();
  const leases = async (): Promise<readonly ServerLease[]> => {
    const next = last.then(async () => await leasesNow(files, started));
    last = next.catch(() => undefined);
    return await next;
  };
  return serverOf('udhcpd', started, files.leases, leases);
}
