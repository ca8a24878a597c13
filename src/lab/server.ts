import { setTimeout as sleep } from 'node:timers/promises';
import { readFile } from 'node:fs/promises';
import type { Cidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import { isErrno } from './errno.ts';
import type { ServerLease } from './lease-files.ts';
import { killProcess, stopProcess, type LongProcess } from './long-process.ts';
import type { Namespace } from './namespace.ts';
import type { Resources } from './resources.ts';

/** The addresses a server may give out, both ends included. */
export type Pool = { readonly first: Ipv4; readonly last: Ipv4 };

/** Where a DHCP server runs: on `interfaceName` of the router, which has `router` as its address there. */
export type ServerSite = {
  readonly namespace: Namespace;
  readonly interfaceName: string;
  readonly router: Cidr<Ipv4>;
  readonly pool: Pool;
  /** An existing folder of its own for configuration, leases and log. */
  readonly folder: string;
  readonly resources: Resources;
  readonly signal?: AbortSignal | undefined;
};

export type ServerKind = 'dnsmasq' | 'kea' | 'isc' | 'udhcpd';

/** A running DHCP server. */
export type DhcpServer = {
  readonly kind: ServerKind;
  readonly process: LongProcess;
  readonly leaseFile: string;
  readonly logFile: string;
  /** The leases in force now, as its lease file has them. */
  readonly leases: () => Promise<readonly ServerLease[]>;
  /** SIGTERM: it ends in order; its leases are for the next one to read. */
  readonly stop: () => Promise<void>;
  /** SIGKILL: as a router that loses its power. */
  readonly kill: () => Promise<void>;
};

export function serverOf(
  kind: ServerKind,
  process: LongProcess,
  leaseFile: string,
  leases: () => Promise<readonly ServerLease[]>,
): DhcpServer {
  const stop = async (): Promise<void> => await stopProcess(process);
  const kill = async (): Promise<void> => await killProcess(process);
  return { kind, process, leaseFile, logFile: process.logFile, leases, stop, kill };
}

/** RFC 2131 4.1: servers listen on UDP port 67. */
const SERVER_PORT_HEX = '0043';
/** The local address is the second column of /proc/net/udp, "ADDRESS:PORT" in hex. */
const UDP_LINE = /^\s*\d+: [0-9A-F]{8}:([0-9A-F]{4}) /;

/** Whether the process has a namespace's UDP port 67 in use, that is: takes requests. */
export async function listensForDhcp(namespace: Namespace, pid: number): Promise<boolean> {
  if (!(await namespace.holds(pid))) return false;
  // It may end between the two looks.
  const table = await readIfThere(`/proc/${pid}/net/udp`);
  return table.split('\n').some((line) => UDP_LINE.exec(line)?.[1] === SERVER_PORT_HEX);
}

/** A file's text; empty when the server has not written it yet. */
export async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    // ESRCH: a file of a process that ended between two system calls (proc(5)).
    if (isErrno(error, 'ENOENT', 'ESRCH')) return '';
    throw error;
  }
}

/** Twelve hours, as home routers give. */
export const DEFAULT_LEASE_SECONDS = 43_200;
const SETTLE_MS = 5;
const MOST_READS = 200;
/** Of proc_pid_status(5): asleep until something comes, as who waits for messages is and who writes a file is not. */
const ASLEEP = /^State:\tS/m;

/** Whether the process waits for something, or is there no longer. */
async function isAtRest(pid: number): Promise<boolean> {
  const status = await readIfThere(`/proc/${pid}/status`);
  return status === '' || ASLEEP.test(status);
}

/**
 * A file that its owner, this process, empties and writes anew in its place: read until it is whole, that is twice the same
 * with the owner at rest. A machine that is busy may stop the owner in the middle of it for long.
 */
export async function readSettled(path: string, owner: number): Promise<string> {
  let before = await readIfThere(path);
  for (let reads = 1; reads < MOST_READS; reads++) {
    await sleep(SETTLE_MS);
    const wasAtRest = await isAtRest(owner);
    const now = await readIfThere(path);
    if (now === before && wasAtRest && (await isAtRest(owner))) break;
    before = now;
  }
  return before;
}

/** What is in a log beyond its end of now: what an earlier process said there is no sign of the next one. */
export async function logSince(logFile: string): Promise<() => Promise<string>> {
  const { length } = await readIfThere(logFile);
  return async () => (await readIfThere(logFile)).slice(length);
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
