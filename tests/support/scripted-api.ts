import assert from 'node:assert/strict';
import { join } from 'node:path';
import { getOverSocket } from '../../src/lab/daemon.ts';
import { type LongProcess, waitUntilReady } from '../../src/lab/long-process.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import type { Resources } from '../../src/lab/resources.ts';
import type { ApiState } from './api-server.ts';
import type { Pki } from './kube-api.ts';

const PORT = 6443;

export type ScriptedApi = {
  readonly url: string;
  readonly process: LongProcess;
  /** From now on it is so; open watches hear of the difference, or are cut off where something else changes. */
  readonly become: (state: ApiState) => Promise<void>;
  /** What was asked so far, each with its Authorization. */
  readonly asked: () => Promise<readonly string[]>;
};

/** A Kubernetes API on the loopback of a namespace, for a daemon in it. */
export async function startApi(
  place: { readonly namespace: Namespace; readonly folder: string; readonly resources: Resources },
  pki: Pki,
  state: ApiState,
): Promise<ScriptedApi> {
  const { namespace, folder, resources } = place;
  const control = join(folder, 'api.sock');
  const program = join(import.meta.dirname, 'api-server.ts');
  const started = await namespace.start(
    [process.execPath, program, pki.folder, `${PORT}`, control],
    { name: 'API server', logFile: join(folder, 'api.log') },
    resources,
  );
  const tell = async (query: string): Promise<readonly string[] | undefined> => {
    const answer = await getOverSocket(control, `/${query}`);
    return answer === undefined ? undefined : (JSON.parse(answer.body) as readonly string[]);
  };
  await waitUntilReady(started, async () => (await tell(stateQuery(state))) !== undefined);
  return {
    url: `https://127.0.0.1:${PORT}`,
    process: started,
    become: async (next) => {
      assert.ok((await tell(stateQuery(next))) !== undefined);
    },
    asked: async () => (await tell('')) ?? [],
  };
}

function stateQuery(state: ApiState): string {
  return `?state=${encodeURIComponent(JSON.stringify(state))}`;
}
