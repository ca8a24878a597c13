import { join } from 'node:path';
import * as v from 'valibot';
import type { Namespace } from '../../src/lab/namespace.ts';
import { ROOT } from './leasehold.ts';

const shape = v.object({ done: v.array(v.string()), failed: v.array(v.string()) });

/** What `leasehold uninstall` does to a node after it has stopped the daemon, run in the node's namespace. `within`: stands before it. */
export async function undoHostIn(
  node: Namespace,
  stateDir: string,
  within: readonly string[] = [],
): Promise<v.InferOutput<typeof shape>> {
  const script = `
    const { undoHost } = await import(${JSON.stringify(join(ROOT, 'src', 'host-undo.ts'))});
    console.log(JSON.stringify(await undoHost(${JSON.stringify(stateDir)})));
  `;
  const said = await node.run([...within, process.execPath, '--input-type=module', '--eval', script]);
  return v.parse(shape, JSON.parse(said));
}
