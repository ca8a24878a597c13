/**
 * The running sum of 16-bit words in network order (RFC 1071), not yet folded. An odd last byte counts as if a zero
 * followed it, so only the last part of several may have an odd length.
 */
export function addToSum(bytes: Uint8Array, start: number, end: number, sum = 0): number {
  let total = sum;
  let at = start;
  for (; at + 1 < end; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return at < end ? total + ((bytes[at] ?? 0) << 8) : total;
}

/** The one's complement of the folded sum: the checksum to write. 0 over data that holds its own right checksum. */
export function internetChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}
