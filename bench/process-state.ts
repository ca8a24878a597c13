import { readdir, readFile } from 'node:fs/promises';

/** proc_pid_stat(5): fields 14 and 15, counted after the command name, which ends with the last ')'. */
const UTIME_AFTER_NAME = 11;
const STIME_AFTER_NAME = 12;
/** USER_HZ, which is 100 on every Linux that Node runs on (proc_pid_stat(5), sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SECOND = 100;
const KIB_PER_MB = 1024;

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
