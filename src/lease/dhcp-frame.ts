import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { DHCP_CLIENT_PORT } from '../wire/bpf.ts';
import { emitUdp4Frame } from '../wire/ip/udp4.ts';

/** RFC 2131 4.1. */
export const DHCP_SERVER_PORT = 67;
/** A client's message as a whole Ethernet frame, for the host to send where no socket of the pod can. */
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
