import { readdir, readFile } from 'node:fs/promises';

/** proc_pid_stat(5): fields 14 and 15, counted after the command name, which ends with the last ')'. */
const UTIME_AFTER_NAME = 11;
const STIME_AFTER_NAME = 12;
/** USER_HZ, which is 100 on every Linux that Node runs on (proc_pid_stat(5), sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SECOND = 100;
const KIB_PER_MB = 1024;
const NS_PER_MS = 1e6;

/** What a daemon takes of the machine. */
export type ProcessState = {
  readonly threads: number;
  readonly fds: number;
  readonly rssMb: number;
  /** The part of the RSS that is the process's own, without mapped files. */
  readonly anonMb: number;
};

function field(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN);
}

export async function processState(pid: number): Promise<ProcessState> {
  const [status, fds] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readdir(`/proc/${pid}/fd`),
  ]);
  return {
    threads: field(status, 'Threads'),
    fds: fds.length,
    rssMb: field(status, 'VmRSS') / KIB_PER_MB,
    anonMb: field(status, 'RssAnon') / KIB_PER_MB,
  };
}

/** Processor seconds of all threads so far, user and kernel. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[UTIME_AFTER_NAME]) + Number(fields[STIME_AFTER_NAME])) / TICKS_PER_SECOND;
}

/** What a process that only waits costs all the same. */
export type Activity = {
  /** Times that the main thread went to sleep of its own accord: each follows a wake-up. */
  readonly mainWakeUps: number;
  /** The same of all threads. */
  readonly wakeUps: number;
  /** Processor time of all threads, with the scheduler's own precision (a tick of `cpuSeconds` is 10 ms). */
  readonly cpuMs: number;
};

type ThreadTimes = { readonly switches: number; readonly cpuNs: number };

async function threadTimes(pid: number): Promise<ReadonlyMap<string, ThreadTimes>> {
  const times = new Map<string, ThreadTimes>();
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`;
    const [status, schedstat] = await Promise.all([
      readFile(`${folder}/status`, 'utf8'),
      readFile(`${folder}/schedstat`, 'utf8'),
    ]);
    // Documentation/scheduler/sched-stats: the first field is the time on the processor, in nanoseconds.
    const cpuNs = Number(schedstat.split(' ')[0]);
    times.set(thread, { switches: field(status, 'voluntary_ctxt_switches'), cpuNs });
  }
  return times;
}

/** What the process did between the call and the call of what this gives. Threads must not end meanwhile. */
export async function watchActivity(pid: number): Promise<() => Promise<Activity>> {
  const before = await threadTimes(pid);
  return async () => {
    const after = await threadTimes(pid);
    let activity = { mainWakeUps: 0, wakeUps: 0, cpuMs: 0 };
    for (const [thread, { switches, cpuNs }] of after) {
      const then = before.get(thread) ?? { switches: 0, cpuNs: 0 };
      const woken = switches - then.switches;
      activity = {
        mainWakeUps: thread === String(pid) ? woken : activity.mainWakeUps,
        wakeUps: activity.wakeUps + woken,
        cpuMs: activity.cpuMs + (cpuNs - then.cpuNs) / NS_PER_MS,
      };
    }
    return activity;
  };
}
