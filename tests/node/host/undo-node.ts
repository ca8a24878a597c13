import { hostRecordKey } from '../../../src/node/host/record.ts';
import { type Undone, undoNode } from '../../../src/node/host/undo.ts';
import type { FakeNode } from './fake-node.ts';

/** What uninstall does when the daemon is at its end. */
export async function undo(node: FakeNode): Promise<Undone> {
  await node.side.close();
  return await undoNode(
    {
      kernel: node,
      guard: { remove: () => node.removeGuard() },
      bootId: 'boot',
      save: (record) => {
        if (node.refuseRecords !== undefined) return Promise.reject(node.refuseRecords);
        node.stored.set(hostRecordKey(record), record);
        return Promise.resolve();
      },
    },
    [...node.stored.values()].filter((record) => record.kind === 'uplink'),
  );
}
