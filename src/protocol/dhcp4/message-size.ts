/** "The minimum legal value is 576 octets" (RFC 2132 9.10); RFC 2131 section 2: every client takes that much. */
const LEAST_SIZE = 576;
/** Ethernet's MTU without jumbo frames: more in one piece is not read (MAX_DHCP4_BYTES), and no server sends it. */
const MOST_SIZE = 1500;

/**
 * The value of option 57: the MTU of the client's interface. "The value specified in the Maximum DHCP Message Size option
 * is the total maximum packet size, including IP and UDP headers" (RFC 3442; RFC 2132 leaves it open), so that no answer
 * comes in fragments, which the tap does not see. On a link with jumbo frames it is less than the MTU, which RFC 3442 has
 * as the least: SHOULD. Where the MTU is not known it is that of an Ethernet.
 */
export function messageSize(mtu: number = MOST_SIZE): number {
  return Math.min(MOST_SIZE, Math.max(LEAST_SIZE, mtu));
}
