import { type Goal, MOST } from './goal.ts';
import { figure, markdownTable } from './markdown.ts';
import type { HostSideFootprint } from './measure-host-side.ts';
import { NO_FAILURES, type SectionReport } from './section-report.ts';
import { largest } from './statistics.ts';

const MANY_PODS = 1000;

function goals({ attachments, state }: HostSideFootprint): readonly Goal[] {
  if (attachments !== MANY_PODS) return [];
  const what = '1,000 pods of type leasehold: RSS';
  return [{ what, unit: 'MB', bound: MOST, wanted: 105, aim: 90, measured: state.rssMb }];
}

/** At rest, and started anew on what a killed one left. */
function daemonTable({ attachments, state, idle, seconds, starts }: HostSideFootprint): string {
  const worst = (of: (start: (typeof starts)[number]) => number): string => figure(largest(starts.map(of)));
  const rows = [
    ['RSS MB', figure(state.rssMb)],
    ['of it anonymous MB', figure(state.anonMb)],
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

export const leaseholdReport: SectionReport<HostSideFootprint> = {
  goals,
  failures: ({ failures }) => ({ ...NO_FAILURES, leasehold: failures }),
  text: (result, plan) => `## A daemon with many pods of type leasehold

A fresh daemon; pods are added 20 at once, and it is looked at when their addresses have been probed and announced. At rest it is watched for
${plan.idleSeconds} s; then it is killed (SIGKILL) and started anew (worst of ${plan.restart.rounds}).

${daemonTable(result)}`,
};
