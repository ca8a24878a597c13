import { isSysError } from '../../base/sys-error.ts';
import { attachmentText, type AttachmentRecord } from './record.ts';
import type { HostWorld } from './world.ts';

/** Removes the record of a pod that is gone. Never fails: one that stays is taken for a pod that went while no daemon ran. */
export async function forgetRecord(
  { store, log }: Pick<HostWorld, 'store' | 'log'>,
  record: AttachmentRecord,
): Promise<void> {
  try {
    await store.remove(record);
  } catch (error) {
    if (!isSysError(error)) throw error;
    log.warn(
      { attachment: attachmentText(record.key), error: error.message },
      'the record of a pod that is gone could not be removed',
    );
  }
}
