import { parseArgs } from 'node:util';
import { getJson } from '../api/client.ts';
import { isJsonObject, type Json } from '../base/json.ts';
import { formatDuration, seconds } from '../base/time.ts';
import type { Command } from './command.ts';
import { printJson } from './json-out.ts';
import { parseOptions, socketOf } from './options.ts';
import { cell, printTable } from './table.ts';

const HEADINGS = ['CONTAINER', 'NETWORK', 'INTERFACE', 'ADDRESS', 'MAC', 'STATE', 'LEFT'] as const;
const LONGEST_ID = 24;

/** `leasehold leases`: what the daemon holds. */
export const leasesCommand: Command = {
  name: 'leases',
  usage: '[--socket PATH] [--json]',
  summary: 'show the leases of this node',
  async run(argv) {
    const { values } = parseOptions(() =>
      parseArgs({
        args: [...argv],
        options: {
          socket: { type: 'string' },
          json: { type: 'boolean', default: false },
        },
      }),
    );
    const socket = socketOf(values.socket);
    const leases = await getJson(socket, '/v1/leases');
    if (!Array.isArray(leases)) throw new Error(`what answers at ${socket} gives no list of leases`);
    if (values.json) {
      printJson(leases);
      return 0;
    }
    printTable([HEADINGS, ...leases.map(rowOf)]);
    const owed = await getJson(socket, '/v1/owed');
    if (Array.isArray(owed)) for (const debt of owed) console.log(owedLine(debt));
    return 0;
  },
};

/** A lease of a pod that is gone, which its server has still to be told of. */
function owedLine(debt: Json): string {
  if (!isJsonObject(debt)) return '';
  const text = (key: string): string => cell(debt[key]);
  return `${text('address')} is to be released at ${text('server')}: ${text('why')}`;
}

function rowOf(lease: Json): readonly string[] {
  if (!isJsonObject(lease)) return [];
  const text = (key: string): string => cell(lease[key]);
  const left = lease['expiresInSeconds'];
  return [
    text('containerId').slice(0, LONGEST_ID),
    text('network'),
    text('ifname'),
    text('address'),
    text('mac'),
    text('state'),
    typeof left === 'number' ? formatDuration(seconds(Math.max(left, 0))) : '-',
  ];
}
