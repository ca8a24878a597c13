import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { getJson, postJson } from '../api/client.ts';
import { isJsonObject, type JsonObject } from '../base/json.ts';
import type { Command } from './command.ts';
import { printJson } from './json-out.ts';
import { parseOptions, socketOf } from './options.ts';
import { cell, printTable } from './table.ts';

/** Where libcni, and with it containerd, CRI-O and podman before 6, keeps the results of ADDs unless told otherwise. */
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
    const leases = await confirmed(socket, adopted);
    const rows = adopted.map((one) => withLease(one, leases.get(cell(one['attachment']))));
    if (values.json) printJson(rows);
    else {
      printTable([
        ['CONTAINER/NETWORK/INTERFACE', 'ADDRESS', 'OUTCOME', 'STATE'],
        ...rows.map((row) => [
          cell(row['attachment']),
          cell(row['address']),
          cell(row['outcome']),
          cell(row['why'] ?? row['state']),
        ]),
      ]);
    }
    return rows.some((row) => row['outcome'] === 'refused' || row['outcome'] === 'moved') ? 1 : 0;
  },
};

/** What became of one that was taken up: where the server gave another address, the pod has moved. */
function withLease(adopted: JsonObject, lease: JsonObject | undefined): JsonObject {
  const was = cell(adopted['address']);
  const address = cell(lease?.['address']);
  const moved = adopted['outcome'] === 'taken-up' && address !== '-' && !was.startsWith(`${address}/`);
  return {
    ...adopted,
    outcome: moved ? 'moved' : (adopted['outcome'] ?? null),
    why: moved ? `the server gave ${address} instead` : (adopted['why'] ?? null),
    state: lease?.['state'] ?? null,
  };
}

/** The leases by attachment, once servers have confirmed all that was taken up, or after a while. */
async function confirmed(
  socket: string,
  adopted: readonly JsonObject[],
): Promise<ReadonlyMap<string, JsonObject>> {
  const ours = adopted
    .filter(({ outcome }) => outcome === 'taken-up')
    .map(({ attachment }) => cell(attachment));
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const leases = await leasesOf(socket);
    const all = ours.every((attachment) => leases.get(attachment)?.['state'] === 'bound');
    if (all || performance.now() >= until) return leases;
    await sleep(LOOK_EVERY_MS);
  }
}

async function leasesOf(socket: string): Promise<ReadonlyMap<string, JsonObject>> {
  const list = await getJson(socket, '/v1/leases');
  const leases = Array.isArray(list) ? list.filter(isJsonObject) : [];
  return new Map(
    leases.map((lease) => [
      `${cell(lease['containerId'])}/${cell(lease['network'])}/${cell(lease['ifname'])}`,
      lease,
    ]),
  );
}
