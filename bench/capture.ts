import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mac } from '../src/base/mac.ts';
import { BRIDGE, type HomeLan } from '../src/lab/home-lan.ts';
import { stopProcess, waitUntilReady } from '../src/lab/long-process.ts';
import { readIfThere } from '../src/lab/server.ts';
import { DHCP_MESSAGE_TYPE, type DhcpMessageType } from '../src/wire/dhcp4/message-type.ts';
import { parseDhcp4 } from '../src/wire/dhcp4/message.ts';
import { readOption } from '../src/wire/dhcp4/options.ts';
import { parseUdp4Frame } from '../src/wire/ip/udp4.ts';

/** pcap-savefile(5), in the byte order of the machine that wrote it; the magic number says that fractions are nanoseconds. */
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const FRACTION_AT = 4;
const CAPTURED_LENGTH_AT = 8;
const MS_PER_SECOND = 1000;
const NS_PER_MS = 1e6;
/** KiB for frames that tcpdump has not taken yet: a burst with all its retries is under 1 MiB. */
const BUFFER_KIB = 16_384;

/** A DHCP message on the router's bridge. */
export type Seen = {
  /** Milliseconds since 1970, stamped by the kernel when the frame came in or left. */
  readonly atMs: number;
  readonly type: DhcpMessageType;
  readonly chaddr: Mac;
  readonly xid: number;
};

function readSeen(atMs: number, frame: Uint8Array): readonly Seen[] {
  // Inside one machine checksums are left to hardware that never comes.
  const datagram = parseUdp4Frame(frame, { checksumReady: false });
  const message = datagram.ok ? parseDhcp4(datagram.value.payload) : datagram;
  if (!message.ok) return [];
  const type = readOption(message.value.options, 'dhcp-message-type');
  if (type.kind !== 'value') return [];
  const { chaddr, xid } = message.value;
  return [{ atMs, type: type.value, chaddr, xid }];
}

/** The DHCP messages of a capture file. Throws an Error for a file that is none, or has no nanoseconds. */
export function readCapture(file: Uint8Array): readonly Seen[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  if (file.length < FILE_HEADER_BYTES || view.getUint32(0, true) !== MAGIC_NANOSECONDS)
    throw new Error('the capture is no pcap file with nanoseconds');
  const all: Seen[] = [];
  let at = FILE_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= file.length) {
    const seconds = view.getUint32(at, true);
    const atMs = seconds * MS_PER_SECOND + view.getUint32(at + FRACTION_AT, true) / NS_PER_MS;
    const length = view.getUint32(at + CAPTURED_LENGTH_AT, true);
    at += RECORD_HEADER_BYTES;
    if (at + length > file.length) break;
    all.push(...readSeen(atMs, file.subarray(at, at + length)));
    at += length;
  }
  return all;
}

/** The first message of a type that has this xid. */
function stamps(seen: readonly Seen[], type: DhcpMessageType): ReadonlyMap<number, Seen> {
  const first = new Map<number, Seen>();
  for (const one of seen) if (one.type === type && !first.has(one.xid)) first.set(one.xid, one);
  return first;
}

/**
 * The server's own time for each client that got a lease by a DISCOVER: from DISCOVER in to OFFER out, and from REQUEST
 * in to ACK out. By the client's MAC address; exchanges of which a part is missing are left out.
 */
export function serverTimes(seen: readonly Seen[]): ReadonlyMap<Mac, number> {
  const { DHCPDISCOVER, DHCPOFFER, DHCPREQUEST, DHCPACK } = DHCP_MESSAGE_TYPE;
  const offers = stamps(seen, DHCPOFFER);
  const requests = stamps(seen, DHCPREQUEST);
  const acks = stamps(seen, DHCPACK);
  const times = new Map<Mac, number>();
  const [requestOf, ackOf] = [byClient(requests), byClient(acks)];
  for (const [xid, discover] of stamps(seen, DHCPDISCOVER)) {
    const offer = offers.get(xid);
    // A client may take another xid for its REQUEST.
    const request = requests.get(xid) ?? requestOf.get(discover.chaddr);
    const ack = (request && acks.get(request.xid)) ?? ackOf.get(discover.chaddr);
    if (offer === undefined || request === undefined || ack === undefined) continue;
    times.set(discover.chaddr, offer.atMs - discover.atMs + (ack.atMs - request.atMs));
  }
  return times;
}

function byClient(stamped: ReadonlyMap<number, Seen>): ReadonlyMap<Mac, Seen> {
  return new Map([...stamped.values()].toReversed().map((one) => [one.chaddr, one]));
}

/** What was seen, and how many frames the kernel had to drop because tcpdump was slow. */
export type Captured = { readonly seen: readonly Seen[]; readonly dropped: number };

let captures = 0;

/** Sees all DHCP on the router's bridge until it is called to an end; then gives it. */
export async function captureDhcp(lan: HomeLan): Promise<() => Promise<Captured>> {
  captures += 1;
  const file = join(lan.folder, `capture${captures}.pcap`);
  const logFile = join(lan.folder, `capture${captures}.log`);
  // As root to the end: the folder is root's alone.
  const options = ['-Z', 'root', '-n', '--immediate-mode', '-B', String(BUFFER_KIB)];
  const where = ['--time-stamp-precision=nano', '-i', BRIDGE, '-w', file];
  const started = await lan.router.start(
    ['tcpdump', ...options, ...where, 'udp and (port 67 or port 68)'],
    { name: 'tcpdump', logFile },
    lan.resources,
  );
  await waitUntilReady(started, async () => (await readIfThere(logFile)).includes('listening on'));
  return async () => {
    await stopProcess(started);
    const dropped = /(\d+) packets? dropped by kernel/.exec(await readIfThere(logFile))?.[1];
    return { seen: readCapture(await readFile(file)), dropped: Number(dropped) };
  };
}
