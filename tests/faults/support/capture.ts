import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ipv4FromBytes, type Ipv4 } from '../../../src/base/ipv4.ts';
import { macFromBytes, type Mac } from '../../../src/base/mac.ts';
import { stopProcess, waitUntilReady } from '../../../src/lab/long-process.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';
import type { Resources } from '../../../src/lab/resources.ts';
import { readIfThere } from '../../../src/lab/server.ts';
import { parseDhcp4, type Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { parseUdp4Frame } from '../../../src/wire/ip/udp4.ts';

/** A frame of a capture, as far as a test asks about it. `fromMac`: the Ethernet source. */
export type Captured =
  | {
      readonly kind: 'dhcp';
      readonly fromMac: Mac;
      readonly from: Ipv4;
      readonly to: Ipv4;
      readonly toMac: Mac;
      readonly message: Dhcp4Message;
    }
  | {
      readonly kind: 'icmp';
      readonly fromMac: Mac;
      readonly from: Ipv4;
      readonly to: Ipv4;
      readonly type: number;
      readonly code: number;
    }
  | {
      readonly kind: 'arp';
      readonly fromMac: Mac;
      readonly op: number;
      readonly senderMac: Mac;
      readonly senderIp: Ipv4;
      readonly targetIp: Ipv4;
    }
  | { readonly kind: 'other' };

/** RFC 792: destination unreachable, port unreachable. */
export const PORT_UNREACHABLE = { type: 3, code: 3 } as const;

const ETHERNET_BYTES = 14;
const SOURCE_MAC_AT = 6;
const ETHERTYPE_AT = 12;
const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806 };
/** Where fields lie behind the Ethernet header (RFC 791, RFC 826). */
const IP = { protocol: 9, source: 12, destination: 16, icmp: 1 };
const ARP = { op: 6, senderMac: 8, senderIp: 14, targetIp: 24, bytes: 28 };
/** pcap-savefile(5), in the byte order of the machine that wrote it. */
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const CAPTURED_LENGTH_AT = 8;
/** Bytes; more than an Ethernet frame has. */
const LONGEST = '2048';
const DHCP_PORTS: ReadonlySet<number> = new Set([67, 68]);

function readIcmp(frame: Uint8Array): Captured {
  const ip = frame.subarray(ETHERNET_BYTES);
  const at = ((ip[0] ?? 0) & 0x0f) * 4;
  return {
    kind: 'icmp',
    fromMac: macFromBytes(frame, SOURCE_MAC_AT),
    from: ipv4FromBytes(ip, IP.source),
    to: ipv4FromBytes(ip, IP.destination),
    type: ip[at] ?? 0,
    code: ip[at + 1] ?? 0,
  };
}

function readFrame(frame: Uint8Array): Captured {
  const etherType = ((frame[ETHERTYPE_AT] ?? 0) << 8) | (frame[ETHERTYPE_AT + 1] ?? 0);
  const body = frame.subarray(ETHERNET_BYTES);
  if (etherType === ETHERTYPE.arp && body.length >= ARP.bytes) {
    return {
      kind: 'arp',
      fromMac: macFromBytes(frame, SOURCE_MAC_AT),
      op: body[ARP.op + 1] ?? 0,
      senderMac: macFromBytes(body, ARP.senderMac),
      senderIp: ipv4FromBytes(body, ARP.senderIp),
      targetIp: ipv4FromBytes(body, ARP.targetIp),
    };
  }
  if (etherType !== ETHERTYPE.ipv4) return { kind: 'other' };
  if (body[IP.protocol] === IP.icmp) return readIcmp(frame);
  // Inside one machine checksums are left to hardware that never comes.
  const datagram = parseUdp4Frame(frame, { checksumReady: false });
  if (!datagram.ok || !DHCP_PORTS.has(datagram.value.dstPort)) return { kind: 'other' };
  const { srcMac, src, dst, dstMac, payload } = datagram.value;
  const message = parseDhcp4(payload);
  return message.ok
    ? { kind: 'dhcp', fromMac: srcMac, from: src, to: dst, toMac: dstMac, message: message.value }
    : { kind: 'other' };
}

/** The frames of a capture file; a last one that is still being written is left out. */
function readCapture(file: Uint8Array): readonly Captured[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const frames: Captured[] = [];
  let at = FILE_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= file.length) {
    const length = view.getUint32(at + CAPTURED_LENGTH_AT, true);
    at += RECORD_HEADER_BYTES;
    if (at + length > file.length) break;
    frames.push(readFrame(file.subarray(at, at + length)));
    at += length;
  }
  return frames;
}

export type Capture = {
  /** What was seen so far. */
  readonly frames: () => Promise<readonly Captured[]>;
  readonly stop: () => Promise<void>;
};

let captures = 0;

/** Sees DHCP, ARP and ICMP on an interface of a namespace until it is stopped; ends with the resources. */
export async function capture(
  namespace: Namespace,
  dev: string,
  { folder, resources }: { readonly folder: string; readonly resources: Resources },
): Promise<Capture> {
  captures += 1;
  const file = join(folder, `capture${captures}.pcap`);
  const logFile = join(folder, `capture${captures}.log`);
  // As root to the end: the folder is root's alone. Every frame is written when it is seen. In immediate mode a frame of
  // the longest kind has its place in the kernel's buffer, whatever comes: with tcpdump's own 256 KiB there are but eight.
  const options = ['-Z', 'root', '-n', '-U', '--immediate-mode', '-s', LONGEST, '-i', dev, '-w', file];
  const filter = 'arp or icmp or (udp and (port 67 or port 68))';
  const started = await namespace.start(
    ['tcpdump', ...options, filter],
    { name: 'tcpdump', logFile },
    resources,
  );
  await waitUntilReady(started, async () => (await readIfThere(logFile)).includes('listening on'));
  return {
    frames: async () => readCapture(await readFile(file)),
    stop: async () => await stopProcess(started),
  };
}
