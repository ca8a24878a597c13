import { formatCidr } from '../base/cidr.ts';
import type { Ip } from '../base/ip.ts';
import { formatDuration } from '../base/time.ts';
import type { LabHandle } from './lab-handle.ts';
import { leasesLeft, type LeaseLeft } from './lab-leases.ts';
import { hasHostSide, measure, type Reached } from './lab-matrix.ts';
import type { Output } from './lab-output.ts';
import type { PodRow } from './pod-row.ts';
import { renderMatrix, renderTable } from './table.ts';

const NONE = '-';

/** `strictly` without an end is said as such; an address that no lease names gets a dash. */
function leftText(address: Ip | undefined, leases: readonly LeaseLeft[]): string {
  const lease = leases.find((one) => one.address === address);
  if (lease === undefined) return NONE;
  return Number.isFinite(lease.left) ? formatDuration(lease.left) : 'no end';
}

export async function showPods(output: Output, lab: LabHandle, rows: readonly PodRow[]): Promise<void> {
  const leases = await leasesLeft(lab.paths.socket, lab.paths.leaseFile);
  const columns = [
    { title: 'pod' },
    { title: 'MAC' },
    { title: 'address' },
    { title: 'router' },
    { title: 'lease left' },
    { title: 'ADD took', align: 'right' },
  ] as const;
  const cells = rows.map(({ pod, view }) => [
    pod.name,
    view.mac ?? NONE,
    view.address === undefined
      ? { text: 'none', paint: output.style.bad }
      : { text: formatCidr(view.address), paint: output.style.good },
    view.router ?? NONE,
    leftText(view.address?.address, leases),
    pod.addMs === undefined ? NONE : `${pod.addMs.toFixed(1)} ms`,
  ]);
  output.write(renderTable(columns, cells, output.style));
}

/** macvlan children and the interface they sit on do not reach each other: not wanted, but not a failure either. */
function isParentAndChild(from: string, to: string, pods: ReadonlySet<string>): boolean {
  return (from === 'node' && pods.has(to)) || (pods.has(from) && to === 'node');
}

function unreached({ rows, columns, matrix }: Reached): readonly (readonly [string, string])[] {
  return rows.flatMap((from, row) =>
    columns.flatMap((to, column) => (matrix[row]?.[column] === false ? [[from, to] as const] : [])),
  );
}

/** "laptop to pod1, pod2; pod1 to laptop". */
function summaryOf(pairs: readonly (readonly [string, string])[]): string {
  const byFrom = Map.groupBy(pairs, ([from]) => from);
  return [...byFrom].map(([from, all]) => `${from} to ${all.map(([, to]) => to).join(', ')}`).join('; ');
}

/** What the columns are that are no machines. */
function showLegend({ style, write }: Output, { services, clientKept }: Reached): void {
  if (services.length === 0) return;
  const width = Math.max(...services.map(({ name }) => name.length));
  const where = services.map(({ address, port }) => `${address}:${port}`);
  const longest = Math.max(...where.map(({ length }) => length));
  for (const [at, { name, what }] of services.entries())
    write(`  ${name.padEnd(width)}  ${(where[at] ?? '').padEnd(longest)}  ${what}\n`);
  if (clientKept)
    write(style.dim(`  (the web server sees the laptop by the laptop's own address, not the node's)\n`));
}

/** Asks everybody, and prints who reaches whom; true when everything that ought to be reached was. */
export async function showReachability(
  output: Output,
  lab: LabHandle,
  rows: readonly PodRow[],
  signal?: AbortSignal,
): Promise<boolean> {
  return printReached(output, lab, rows, await measure(lab, rows, { signal }), true);
}

/** True when everything that ought to be reached was. `legend`: with what the services are. */
export function printReached(
  output: Output,
  lab: LabHandle,
  rows: readonly PodRow[],
  reached: Reached,
  legend: boolean,
): boolean {
  const { style, write } = output;
  const pods = new Set(rows.map(({ pod }) => pod.name));
  const apart = !hasHostSide(lab);
  const expected = (from: string, to: string): boolean => !(apart && isParentAndChild(from, to, pods));
  const how = reached.services.length === 0 ? 'by ping' : 'by ping; services by an HTTP request';
  write(`${style.bold('Who reaches whom')} (${how})\n`);
  write(renderMatrix(reached, expected, style));
  if (legend) showLegend(output, reached);
  const failed = unreached(reached);
  if (failed.some(([from, to]) => !expected(from, to))) {
    write(
      style.warn(
        'node and pods do not reach each other: the kernel keeps a macvlan child apart from the interface below it.\n' +
          'The plugin "leasehold" brings them together, the plugin "macvlan" does not.\n',
      ),
    );
  }
  const wrong = failed.filter(([from, to]) => expected(from, to));
  if (wrong.length > 0) write(style.bad(`does not work: ${summaryOf(wrong)}\n`));
  return wrong.length === 0;
}
