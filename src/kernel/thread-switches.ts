import { check } from './errno.ts';
import { getrusage } from './ffi.ts';

// linux/resource.h
const RUSAGE_THREAD = 1;
/** struct rusage: two struct timeval, then fourteen longs. */
const RUSAGE_LENGTH = 144;
const NVCSW_WORD = 16;
const NIVCSW_WORD = 17;

/** How often this thread has left the processor so far: to wait for something, or because others wanted it. */
export type ThreadSwitches = { readonly waited: bigint; readonly preempted: bigint };

const words = new BigInt64Array(RUSAGE_LENGTH / BigInt64Array.BYTES_PER_ELEMENT);
const bytes = new Uint8Array(words.buffer);

/** Of the thread of the loop. Throws no SysError in practice: getrusage(2) fails for bad arguments only. */
export function threadSwitches(): ThreadSwitches {
  check('getrusage', getrusage(RUSAGE_THREAD, bytes));
  return { waited: words[NVCSW_WORD] ?? 0n, preempted: words[NIVCSW_WORD] ?? 0n };
}
