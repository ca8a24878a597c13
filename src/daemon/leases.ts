import { isSysError } from '../base/sys-error.ts';
import { type LeaseFiles, recordFileName } from '../kernel/lease-files.ts';
import { Slices } from '../kernel/slices.ts';
import type { LeaseManager } from '../lease/manager.ts';
import { readStored } from '../lease/stored.ts';
import type { createLog } from '../observe/log.ts';

type Log = ReturnType<typeof createLog>;

/** Reads what an earlier run stored. A file that cannot be read is moved aside and named; the others go on. */
export async function takeUpLeases(files: LeaseFiles, leases: LeaseManager, log: Log): Promise<void> {
  // Whoever asks for the daemon's health meanwhile is answered.
  const slices = new Slices();
  for (const file of await files.load()) {
    await slices.pause();
    const record =
      'text' in file
        ? readStored(file.name, file.text, recordFileName)
        : ({ ok: false, error: file.problem } as const);
    if (record.ok) await leases.resume(record.value);
    else await moveAside(files, file.name, record.error, log);
  }
}

async function moveAside(files: LeaseFiles, file: string, problem: string, log: Log): Promise<void> {
  try {
    const aside = await files.moveAside(file);
    log.error({ file, aside, problem }, 'a stored lease cannot be read and was moved aside');
  } catch (error) {
    if (!isSysError(error)) throw error;
    const { message } = error;
    log.error({ file, problem, error: message }, 'a stored lease cannot be read, nor be moved aside');
  }
}
