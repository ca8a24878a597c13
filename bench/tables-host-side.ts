import type { Burst } from './measure-bursts.ts';
import { figure, markdownTable, times } from './markdown.ts';
import type { Measured } from './measure.ts';
import { largest, median, percentile } from './statistics.ts';

function rate(burst: Burst, verb: 'adds' | 'dels'): number {
  return median(burst[verb].map(({ perSecond }) => perSecond));
}

function cpu(burst: Burst, verb: 'adds' | 'dels'): number {
  return median(burst[verb].map(({ cpuMsEach }) => cpuMsEach));
}

function row(what: string, [whole, ours, go]: readonly [number, number, number]): readonly string[] {
  return [what, ...[whole, ours, go].map(figure), times(whole, ours), times(whole, go)];
}

/** What the node's part costs: type `leasehold`, beside `macvlan` with `dhcp` of ours and of Go. */
export function hostSideTable({ sequence, bursts, loop }: Measured): string {
  const verbs = [
    ['ADD', 'addMs', 'adds'],
    ['DEL', 'delMs', 'dels'],
  ] as const;
  const { leasehold, hostSide, go } = sequence;
  const single = verbs.flatMap(([name, key]) =>
    [50, 95].map((percent) =>
      row(`${name} p${percent}, ms`, [
        percentile(hostSide[key], percent),
        percentile(leasehold[key], percent),
        percentile(go[key], percent),
      ]),
    ),
  );
  const last = bursts.at(-1);
  const many =
    last === undefined
      ? []
      : verbs.flatMap(([name, , verb]) => [
          row(`${last.size} ${name}s at once, per second`, [
            rate(last.hostSide, verb),
            rate(last.leasehold, verb),
            rate(last.go, verb),
          ]),
          row(`... daemon CPU, ms per ${name}`, [
            cpu(last.hostSide, verb),
            cpu(last.leasehold, verb),
            cpu(last.go, verb),
          ]),
        ]);
  const gaps = verbs.map(([name, , verb]) =>
    row(`... longest gap of the loop in ${name}s, ms`, [
      loop.hostSide[verb].maxMs,
      loop[verb].maxMs,
      Number.NaN,
    ]),
  );
  const head = ['', 'type leasehold', 'macvlan, dhcp', 'Go plugins', 'of macvlan, dhcp', 'of Go'];
  return markdownTable(head, [...single, ...many, ...gaps]);
}

/** The daemon with many such pods: at rest, and started anew on what a killed one left. */
export function hostSideDaemonTable({ hostSide }: Measured): string {
  const { attachments, state, idle, seconds, starts } = hostSide;
  const worst = (of: (start: (typeof starts)[number]) => number): string => figure(largest(starts.map(of)));
  const rows = [
    ['RSS MB', figure(state.rssMb)],
    ['threads, fds', `${state.threads}, ${state.fds}`],
    ['at rest: wake-ups of the main thread per s', figure(idle.mainWakeUps / seconds)],
    ['at rest: wake-ups of all threads per s', figure(idle.wakeUps / seconds)],
    ['at rest: CPU ms per s', figure(idle.cpuMs / seconds)],
    ['restart: ready, ms', worst(({ readyMs }) => readyMs)],
    ['restart: every pod looked at, ms', worst(({ quietMs }) => quietMs)],
    ['restart: CPU until then, ms', worst(({ cpuMs }) => cpuMs)],
    ['restart: repairs', worst(({ repairs }) => repairs)],
  ];
  return markdownTable([`${attachments.toLocaleString('en')} pods`, 'Leasehold'], rows);
}
