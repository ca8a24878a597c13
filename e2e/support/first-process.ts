import { readFile } from 'node:fs/promises';
import { logTail, type LongProcess } from '../../src/lab/long-process.ts';

/**
 * nsenter and unshare fork to enter a PID namespace: what they run is their only child. Its number as it is here; undefined
 * while there is none. Throws, with the end of the log, when the parent has ended.
 */
export async function childOf(parent: LongProcess): Promise<number | undefined> {
  const how = parent.ended();
  if (how !== undefined) {
    throw new Error(`${parent.name} did not start: ${how}: ${await logTail(parent.logFile)}`);
  }
  const children = await readFile(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8');
  return children === '' ? undefined : Number(children.trim().split(' ')[0]);
}
