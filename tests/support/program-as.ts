import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitUntilReady } from '../../src/lab/long-process.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import type { Resources } from '../../src/lab/resources.ts';

/** A program of this name that stays until the test ends, with these arguments in sight: a kubelet that does nothing. */
export async function runAs(
  place: { readonly namespace: Namespace; readonly folder: string; readonly resources: Resources },
  name: string,
  ...args: readonly string[]
): Promise<void> {
  const { namespace, folder, resources } = place;
  const program = join(folder, name);
  await copyFile('/usr/bin/tail', program);
  const command = [program, '-f', '/dev/null', '--', ...args];
  const options = { name, logFile: join(folder, `${name}.log`) };
  const started = await namespace.start(command, options, resources);
  await waitUntilReady(started, async () => await namespace.holds(started.pid));
}
