import { createHash } from 'node:crypto';
import { SysError } from '../base/sys-error.ts';
import { putTableRequests, type TableSpec } from '../wire/nftables/table.ts';
import { lastHopTable, lastHopTableName } from './last-hop-table.ts';
import { readLink } from './link-ioctl.ts';
import type { NetNs } from './netns.ts';
import { Nftables } from './nftables.ts';

/** Interfaces of pods have few names. */
const TABLES_MAX = 16;
const tablesByName = new Map<string, TableSpec>();
const DIGEST_DIGITS = 12;

function tableOf(ifname: string): TableSpec {
  const kept = tablesByName.get(ifname);
  if (kept !== undefined) return kept;
  const table = lastHopTable(ifname);
  const digest = createHash('sha256');
  for (const { payload } of putTableRequests(table)) digest.update(payload);
  const version = digest.digest('hex').slice(0, DIGEST_DIGITS);
  const comment = `Leasehold: replies leave ${ifname} by the way that their connection came (${version})`;
  const made = { ...table, comment };
  if (tablesByName.size < TABLES_MAX) tablesByName.set(ifname, made);
  return made;
}

/**
 * Replies leave `ifname` by the way that their connection came (docs/last-hop.md). A table of this version
 * that is there stays, with what it has learned: connections outlive a restart of the daemon. Rejects with SysError:
 * EOPNOTSUPP where the kernel has no netdev egress hook (before 5.16, or built without), ENODEV when the
 * interface is gone, or is another one now.
 */
export async function setLastHop(netns: NetNs, index: number, ifname: string): Promise<void> {
  // Kernels from 6.16 on take a name that nobody has yet, and wait for it.
  if (readLink(ifname, netns)?.index !== index) throw new SysError(`last hop of ${ifname}`, 'ENODEV');
  await addLastHop(netns, ifname);
}

/** The same for an interface of which is known that it is there. */
export async function addLastHop(netns: NetNs, ifname: string): Promise<void> {
  const tables = Nftables.open(netns);
  try {
    const table = tableOf(ifname);
    if (!(await tables.add(table)) && !(await tables.isSame(table))) await tables.put([table]);
  } finally {
    tables.closeSoon();
  }
}

/** The whole table of this interface goes; no error when there is none. */
export async function removeLastHop(netns: NetNs, ifname: string): Promise<void> {
  const tables = Nftables.open(netns);
  try {
    await tables.remove([lastHopTableName(ifname)]);
  } finally {
    tables.closeSoon();
  }
}
