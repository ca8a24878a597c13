import { closeSync, constants, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import type { Cidr } from '../base/cidr.ts';
import { isIpv4 } from '../base/ip.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import { isZeroMac, type Mac } from '../base/mac.ts';
import type { Instant } from '../base/time.ts';
import { now, randomU32 } from './clock.ts';
import { type Membership, openProbeSocket, type ProbeSocket } from './probe-socket.ts';
import type { Rtnl } from './rtnl.ts';

/** No file of /sys is longer than a page, and what is asked for is a line. */
const LINE_MAX_BYTES = 256;

/**
 * Not /sys, which shows the interfaces of the namespace that it was mounted in: another one's eth0 for whoever was
 * started with nsenter(1) in this one.
 */
const DEVICES = '/proc/self/net/dev';

type Timers = { at(at: Instant, callback: () => void): () => void };

type ProbedLink = {
  readonly index: number;
  readonly name: string;
  readonly mac?: Mac | undefined;
  readonly up: boolean;
  readonly lowerUp: boolean;
  readonly addresses: readonly Cidr<Ipv4>[];
};

/** What doctor/ports.ts calls LanPorts, for the namespace that `rtnl` and this thread are in. */
export type ProbePorts = {
  readonly clock: { now(): Instant };
  readonly timers: Timers;
  readonly random: () => number;
  link(name: string): Promise<ProbedLink | undefined>;
  ownMacs(): Promise<ReadonlySet<Mac>>;
  openProbe(index: number, membership: Membership): ProbeSocket;
  readLine(path: string): string | undefined;
  received(name: string): number | undefined;
  exists(path: string): boolean;
};

export function probePorts(rtnl: Rtnl, timers: Timers): ProbePorts {
  return {
    clock: { now },
    timers,
    random: randomU32,
    link: (name) => readProbedLink(rtnl, name),
    ownMacs: async () =>
      new Set((await rtnl.links.list()).flatMap(({ mac }) => (mac === undefined ? [] : [mac]))),
    openProbe: openProbeSocket,
    readLine,
    received,
    exists: existsSync,
  };
}

async function readProbedLink(rtnl: Rtnl, name: string): Promise<ProbedLink | undefined> {
  const link = await rtnl.links.get(name);
  if (link === undefined) return undefined;
  const addresses = (await rtnl.addresses.list(link.index)).flatMap(({ cidr }): Cidr<Ipv4>[] =>
    isIpv4(cidr.address) ? [{ address: cidr.address, prefix: cidr.prefix }] : [],
  );
  const { index, mac, up, lowerUp } = link;
  // The loopback interface has one of zeros.
  const own = mac === undefined || isZeroMac(mac) ? undefined : mac;
  return { index, name: link.name, mac: own, up, lowerUp, addresses };
}

/** The second number of an interface's line: received bytes, received packets (net/core/net-procfs.c). */
function received(name: string): number | undefined {
  try {
    for (const line of readFileSync(DEVICES, 'utf8').split('\n')) {
      const at = line.lastIndexOf(':');
      if (line.slice(0, at).trim() !== name) continue;
      const packets = Number(
        line
          .slice(at + 1)
          .trim()
          .split(/\s+/)[1],
      );
      return Number.isSafeInteger(packets) ? packets : undefined;
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
  return undefined;
}

/** Undefined for whatever reason: what cannot be read tells nothing. */
function readLine(path: string): string | undefined {
  const bytes = new Uint8Array(LINE_MAX_BYTES);
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const length = readSync(fd, bytes, 0, bytes.length, 0);
      return new TextDecoder().decode(bytes.subarray(0, length)).split('\n', 1)[0]?.trim();
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}
