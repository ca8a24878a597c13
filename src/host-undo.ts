import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isSysError } from './base/sys-error.ts';
import { openHostRecords, type HostRecords } from './daemon/host.ts';
import { bootId } from './kernel/clock.ts';
import { lockFile, lockNetworkNamespace } from './kernel/file-lock.ts';
import { HostGuard } from './kernel/guard.ts';
import { HostNetwork } from './kernel/host-network.ts';
import { HostSideNetwork } from './kernel/host-side-network.ts';
import { makeProcSysWritable } from './kernel/proc-sys.ts';
import { type Undone, undoNode } from './node/host/undo.ts';

const NO_RECORDS: HostRecords = {
  records: [],
  store: { put: () => Promise.resolve(), remove: () => Promise.resolve() },
};

/**
 * Takes off the node what the daemon put there (shims with their routes and neighbours, rules, nftables tables) and puts
 * back the sysctls that it changed. Pods stay as they are, and the records of them and of the shims: the next daemon
 * takes them up. Rejects with an Error while a daemon runs, which would put all of it back.
 */
export async function undoHost(stateDir: string): Promise<Undone> {
  await using ends = new AsyncDisposableStack();
  const lock = lockFile(join(stateDir, 'lock'));
  if (lock.ok) ends.defer(() => lock.value.release());
  // ENOENT: there is no such folder, and so no records. What carries our marks may be there all the same.
  else if (lock.error.code === 'EWOULDBLOCK')
    throw new Error(`${stateDir}: a daemon uses this folder; stop it first`, { cause: lock.error });
  else if (lock.error.code !== 'ENOENT') throw lock.error;
  const node = lockNetworkNamespace();
  if (!node.ok) {
    const who = node.error.detail === undefined ? '' : ` (${node.error.detail})`;
    throw new Error(`a daemon runs on this node${who}, with another state folder; stop it first`, {
      cause: node.error,
    });
  }
  ends.defer(() => node.value.release());
  return await undoHostLocked(stateDir);
}

/** The same for who has the locks of the state folder and of the node. */
export async function undoHostLocked(stateDir: string): Promise<Undone> {
  await using ends = new AsyncDisposableStack();
  // In a container; where it cannot be done, each sysctl that is not put back is said.
  makeProcSysWritable();
  const failed: string[] = [];
  const { records, store } = await readRecords(stateDir, failed);
  const host = new HostNetwork();
  ends.defer(() => host.close());
  const guard = new HostGuard();
  ends.defer(() => guard.close());
  const undone = await undoNode(
    {
      kernel: new HostSideNetwork(host.rtnl),
      guard,
      bootId: bootId(),
      save: (record) => store.put(record),
    },
    records.filter((record) => record.kind === 'uplink'),
  );
  return { done: undone.done, failed: [...failed, ...undone.failed] };
}

/** Without them all is removed that carries our marks, but sysctls stay as they are. */
async function readRecords(stateDir: string, failed: string[]): Promise<HostRecords> {
  if (!existsSync(join(stateDir, 'host'))) return NO_RECORDS;
  const say = (fields: object, text: string): void => void failed.push(`${text}: ${JSON.stringify(fields)}`);
  try {
    return await openHostRecords(stateDir, { info: say, warn: say, error: say });
  } catch (error) {
    if (!isSysError(error)) throw error;
    failed.push(`could not read what is on record, sysctls stay as they are: ${error.message}`);
    return NO_RECORDS;
  }
}
