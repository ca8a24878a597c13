import { networkInterfaces } from 'node:os';
import { ipv4, IPV4_BROADCAST, ipv4ToBytes } from '../../../src/base/ipv4.ts';
import { BROADCAST_MAC, mac } from '../../../src/base/mac.ts';
import { HostFrameSender } from '../../../src/kernel/frame-sender.ts';
import { readLink } from '../../../src/kernel/link-ioctl.ts';
import { recv } from '../../../src/kernel/ffi.ts';
import { ETH_P_ALL, openPacketSocket } from '../../../src/kernel/packet-socket.ts';
import { pollReadable } from '../../../src/kernel/poll.ts';
import { MSG_DONTWAIT } from '../../../src/kernel/socket-options.ts';
import { encodeBpf } from '../../../src/wire/bpf-assembler.ts';
import { emitDhcp4, parseDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import { emitUdp4Frame, parseUdp4Frame } from '../../../src/wire/ip/udp4.ts';

// A program in a pod that has NET_ADMIN and NET_RAW. It listens to what leaves by eth0, and answers each REQUEST with an
// ACK of its own, in every way there is. Arguments: the address that it wants, the server's address, the server's MAC.

const [wanted = '', server = '', serverMac = ''] = process.argv.slice(2);
/** linux/bpf_common.h: RET with the whole packet. */
const EVERYTHING = encodeBpf([{ code: 0x06, jt: 0, jf: 0, k: 0x40000 }]);
const OPTION = { leaseTime: 51, type: 53, server: 54, mask: 1 };
const DHCPACK = 5;

function indexOf(name: string): number {
  const link = readLink(name);
  if (link === undefined) throw new Error(`no ${name} among ${Object.keys(networkInterfaces()).join()}`);
  return link.index;
}

const own = indexOf('eth0');
const nested = indexOf('nested0');
const nestedMac = mac(readLink('nested0')?.mac ?? '');
const sender = new HostFrameSender();
// Also what leaves.
const fd = openPacketSocket('hear all', {
  protocol: ETH_P_ALL,
  ifindex: own,
  filter: EVERYTHING,
  receiveBuffer: 1 << 20,
});
const bytes = new Uint8Array(2048);
pollReadable(fd, () => {
  for (let length = 0; (length = recv(fd, bytes, bytes.length, MSG_DONTWAIT)) > 0;)
    answer(bytes.subarray(0, length));
});
const answer = (frame: Uint8Array): void => {
  const datagram = parseUdp4Frame(frame, { checksumReady: false });
  if (!datagram.ok || datagram.value.dstPort !== 67) return;
  const request = parseDhcp4(datagram.value.payload);
  if (!request.ok) return;
  const payload = emitDhcp4({
    ...request.value,
    op: 'reply',
    secs: 0,
    yiaddr: ipv4(wanted),
    options: new Map([
      [OPTION.type, Uint8Array.of(DHCPACK)],
      [OPTION.server, ipv4ToBytes(ipv4(server))],
      [OPTION.leaseTime, Uint8Array.of(255, 255, 255, 255)],
      [OPTION.mask, Uint8Array.of(255, 255, 255, 0)],
    ]),
  });
  const { chaddr } = request.value;
  const say = (index: number, srcMac: typeof chaddr, dstMac: typeof chaddr): void => {
    const ports = { srcPort: 67, dstPort: 68, src: ipv4(server), dst: IPV4_BROADCAST };
    sender.send(index, emitUdp4Frame({ ...ports, srcMac, dstMac, payload }));
  };
  // By the macvlan beside it, to all and to itself; by its own interface to itself, as itself and as the server.
  say(nested, nestedMac, BROADCAST_MAC);
  say(nested, nestedMac, chaddr);
  say(own, chaddr, chaddr);
  say(own, mac(serverMac), chaddr);
  process.stdout.write('answered\n');
};
process.stdout.write('ready\n');
