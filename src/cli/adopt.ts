import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { getJson, postJson } from '../api/client.ts';
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts';
import type { Command } from './command.ts';
import { parseOptions, socketOf } from './options.ts';
import { printTable } from './table.ts';

/** Where libcni, and with it containerd, CRI-O and podman, keeps the results of ADDs unless told otherwise. */
const RESULTS = '/var/lib/cni/results';
/** How long the servers' answers are waited for before the table is printed. */
const PATIENCE_MS = 10_000;
const LOOK_EVERY_MS = 100;

/** `leasehold adopt`: leases of running containers, which the Go daemon got for them, become this daemon's. */
export const adoptCommand: Command = {
  name: 'adopt',
  usage: `[--socket PATH] [--results FOLDER]... [--json]`,
  summary: `take over the leases of running containers from another DHCP daemon (stop that one first); FOLDER: ${RESULTS}`,
  async run(argv) {
    const { values } = parseOptions(() =>
      parseArgs({
        args: [...argv],
        options: {
          socket: { type: 'string' },
          results: { type: 'string', multiple: true, default: [RESULTS] },
          json: { type: 'boolean', default: false },
        },
      }),
    );
    const socket = socketOf(values.socket);
    const adopted: JsonObject[] = [];
    for (const folder of values.results) {
      const list = await postJson(socket, '/v1/adopt', { folder });
      if (Array.isArray(list)) adopted.push(...list.filter(isJsonObject));
    }
    const states = await confirmed(socket, adopted);
    const rows = adopted.map((one): JsonObject => ({
      ...one,
      state: states.get(text(one['attachment'])) ?? null,
    }));
    if (values.json) console.log(JSON.stringify(rows, undefined, 2));
    else {
      printTable([
        ['CONTAINER/NETWORK/INTERFACE', 'ADDRESS', 'OUTCOME', 'STATE'],
        ...rows.map((row) => [
          text(row['attachment']),
          text(row['address']),
          text(row['outcome']),
          text(row['why'] ?? row['state']),
        ]),
      ]);
    }
    return rows.some((row) => row['outcome'] === 'refused') ? 1 : 0;
  },
};

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '-';
}

/** The states of what was taken up, once servers have confirmed all of it, or after a while. */
async function confirmed(
  socket: string,
  adopted: readonly JsonObject[],
): Promise<ReadonlyMap<string, string>> {
  const ours = new Set(
    adopted.filter(({ outcome }) => outcome === 'taken-up').map(({ attachment }) => text(attachment)),
  );
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const states = await statesOf(socket);
    const all = [...ours].every((attachment) => states.get(attachment) === 'bound');
    if (all || performance.now() >= until) return states;
    await sleep(LOOK_EVERY_MS);
  }
}

async function statesOf(socket: string): Promise<ReadonlyMap<string, string>> {
  const leases = await getJson(socket, '/v1/leases');
  const list = Array.isArray(leases) ? leases.filter(isJsonObject) : [];
  return new Map(
    list.map(({ containerId, network, ifname, state }) => [
      `${text(containerId)}/${text(network)}/${text(ifname)}`,
      text(state),
    ]),
  );
}
