import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from '../wire/dhcp4/udp-ports.ts';
import { emitUdp4Frame } from '../wire/ip/udp4.ts';

/** A client's message as a whole Ethernet frame, to be sent by the uplink or a packet socket of the pod. */
export function dhcpFrame(
  from: { readonly mac: Mac; readonly address: Ipv4 },
  to: { readonly mac: Mac; readonly address: Ipv4 },
  payload: Uint8Array,
): Uint8Array {
  return emitUdp4Frame({
    srcMac: from.mac,
    dstMac: to.mac,
    src: from.address,
    dst: to.address,
    srcPort: DHCP_CLIENT_PORT,
    dstPort: DHCP_SERVER_PORT,
    payload,
  });
}
