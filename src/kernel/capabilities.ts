import { readFileSync } from 'node:fs';
import { fromNodeError } from './errno.ts';

/** What an ADD cannot do without: the bit in linux/capability.h, and what it is needed for. */
const NEEDED = [
  { name: 'CAP_NET_BIND_SERVICE', bit: 10, purpose: 'UDP port 68' },
  { name: 'CAP_NET_ADMIN', bit: 12, purpose: 'links, addresses, routes and nftables' },
  { name: 'CAP_NET_RAW', bit: 13, purpose: 'packet sockets' },
  { name: 'CAP_SYS_ADMIN', bit: 21, purpose: "entering the pods' namespaces" },
] as const;

export type MissingCapability = Pick<(typeof NEEDED)[number], 'name' | 'purpose'>;

/** Those that this process lacks, of those that an ADD needs. Throws SysError. */
export function missingCapabilities(): readonly MissingCapability[] {
  let status: string;
  try {
    status = readFileSync('/proc/self/status', 'utf8');
  } catch (error) {
    throw fromNodeError('read the capabilities', error);
  }
  // proc_pid_status(5): a mask in hexadecimal.
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return NEEDED.filter(({ bit }) => (mask & (1n << BigInt(bit))) === 0n);
}
