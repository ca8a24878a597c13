import { parseArgs } from 'node:util';
import { getJson } from '../api/client.ts';
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts';
import { formatDuration, seconds } from '../base/time.ts';
import type { Command } from './command.ts';
import { printJson } from './json-out.ts';
import { parseOptions, socketOf } from './options.ts';
import { cell, printTable } from './table.ts';

/** As much of a container's ID as runtimes show (crictl: 13). */
const SHOWN_ID = 13;
const NOTHING = '-';

type Column = {
  readonly heading: string;
  readonly of: (lease: JsonObject) => string;
  /** Shown with --wide only. */
  readonly wide?: boolean;
  /** Left out where no lease has anything in it. */
  readonly mayLack?: boolean;
};

function field(key: string): (lease: JsonObject) => string {
  return (lease) => cell(lease[key]);
}

const COLUMNS: readonly Column[] = [
  { heading: 'CONTAINER', of: (lease) => field('containerId')(lease).slice(0, SHOWN_ID) },
  { heading: 'POD', of: podOf, mayLack: true },
  { heading: 'NETWORK', of: field('network') },
  { heading: 'INTERFACE', of: field('ifname') },
  { heading: 'ADDRESS', of: field('address') },
  { heading: 'MAC', of: field('mac') },
  { heading: 'STATE', of: field('state') },
  { heading: 'LEFT', of: leftOf },
  { heading: 'IAID', of: field('iaid'), wide: true, mayLack: true },
  { heading: 'DUID', of: field('duid'), wide: true, mayLack: true },
  { heading: 'CLIENT-ID', of: clientIdOf, wide: true },
];

/** `leasehold leases`: what the daemon holds. */
export const leasesCommand: Command = {
  name: 'leases',
  usage: '[--socket PATH] [--wide | --json]',
  summary: 'show the leases of this node; --wide: also who each is to the server (client identifier, DUID)',
  async run(argv) {
    const { values } = parseOptions(() =>
      parseArgs({
        args: [...argv],
        options: {
          socket: { type: 'string' },
          wide: { type: 'boolean', default: false },
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
    printTable(tableOf(leases.filter(isJsonObject), values.wide));
    const owed = await getJson(socket, '/v1/owed');
    if (Array.isArray(owed)) for (const debt of owed) console.log(owedLine(debt));
    return 0;
  },
};

function tableOf(leases: readonly JsonObject[], wide: boolean): readonly (readonly string[])[] {
  const columns = COLUMNS.filter((column) => wide || column.wide !== true)
    .map(({ heading, of, mayLack }) => ({ heading, mayLack, cells: leases.map(of) }))
    .filter(({ mayLack, cells }) => mayLack !== true || cells.some((shown) => shown !== NOTHING));
  return [
    columns.map(({ heading }) => heading),
    ...leases.map((_, row) => columns.map(({ cells }) => cells[row] ?? NOTHING)),
  ];
}

/** A lease of a pod that is gone, which its server has still to be told of. */
function owedLine(debt: Json): string {
  if (!isJsonObject(debt)) return '';
  const text = (key: string): string => cell(debt[key]);
  return `${text('address')} is to be released at ${text('server')}: ${text('why')}`;
}

/** "shop/web-0", or the name alone where there is no namespace (podman before 6). */
function podOf({ podNamespace, podName }: JsonObject): string {
  return typeof podNamespace === 'string' ? `${cell(podNamespace)}/${cell(podName)}` : cell(podName);
}

function leftOf({ expiresInSeconds: left }: JsonObject): string {
  return typeof left === 'number' ? formatDuration(seconds(Math.max(left, 0))) : NOTHING;
}

/** As text where it is text, as reservations have it (dnsmasq's `id:`), else as bytes. */
function clientIdOf({ clientId, clientIdText }: JsonObject): string {
  return cell(typeof clientIdText === 'string' ? clientIdText : clientId);
}
