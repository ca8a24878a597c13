import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { lockFile, lockNetworkNamespace, type FileLock } from '../kernel/file-lock.ts';
import { LeaseFiles } from '../kernel/lease-files.ts';
import { foreignFolder } from '../kernel/ownership.ts';
import { PastAddresses } from '../kernel/past-addresses.ts';

const OWNER_FOLDER = 0o700;

/** The folder is made; one daemon has it at a time. Throws an Error for what a person can mend. */
export function lockStateDir(stateDir: string): FileLock {
  const lock = tryToLockStateDir(stateDir);
  if (lock !== undefined) return lock;
  throw new Error(
    `--state-dir ${stateDir}: another daemon uses this folder; stop it, or choose another folder`,
  );
}

/** The same; undefined while another process has it. */
export function tryToLockStateDir(stateDir: string): FileLock | undefined {
  if (!stateDir.startsWith('/')) throw new Error(`--state-dir ${stateDir}: must be an absolute path`);
  let problem: string | undefined;
  try {
    mkdirSync(stateDir, { recursive: true, mode: OWNER_FOLDER });
    problem = foreignFolder(stateDir);
  } catch (error) {
    throw unusable(stateDir, error);
  }
  if (problem !== undefined) throw new Error(`--state-dir ${stateDir}: cannot be used: ${problem}`);
  const lock = lockFile(join(stateDir, 'lock'));
  if (lock.ok) return lock.value;
  if (lock.error.code === 'EWOULDBLOCK') return undefined;
  throw unusable(stateDir, lock.error);
}

/** Two daemons on one node, each with its records, would undo each other's work for ever. */
export function lockNode(): FileLock {
  const lock = lockNetworkNamespace();
  if (lock.ok) return lock.value;
  if (lock.error.code !== 'EWOULDBLOCK') throw lock.error;
  const who = lock.error.detail === undefined ? '' : ` (${lock.error.detail})`;
  throw new Error(
    `another leasehold daemon runs in this network namespace${who}, with another socket and state folder: a node has one; stop that one first`,
  );
}

function unusable(stateDir: string, error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  return new Error(`--state-dir ${stateDir}: cannot be used: ${text}`, { cause: error });
}

/** Rejects with an Error that names the folder. */
export async function openFiles(
  stateDir: string,
): Promise<{ readonly files: LeaseFiles; readonly past: PastAddresses }> {
  try {
    return { files: await LeaseFiles.open(stateDir), past: await PastAddresses.open(stateDir) };
  } catch (error) {
    throw unusable(stateDir, error);
  }
}
