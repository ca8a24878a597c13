import { existsSync, globSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { NETNS_FOLDER } from '../../src/lab/namespace-name.ts';

/**
 * What is still there of a run, by the prefix of its names: namespaces, cgroups, mounts, and processes that have one of these
 * in their command, for their folder or their cgroup. Empty when all is gone.
 */
export function leftovers(prefix: string, folder: string): readonly string[] {
  const namespaces = existsSync(NETNS_FOLDER) ? readdirSync(NETNS_FOLDER) : [];
  const cgroups = globSync([`/sys/fs/cgroup/${prefix}-*`, `/sys/fs/cgroup/*/${prefix}-*`]);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder));
  return [
    ...namespaces.filter((name) => name.startsWith(`${prefix}-`)).map((name) => `namespace ${name}`),
    ...cgroups.map((path) => `cgroup ${path}`),
    ...mounts.map((line) => `mount ${line}`),
    ...processesOf(prefix, folder),
  ];
}

function processesOf(prefix: string, folder: string): readonly string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return pids.flatMap((pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const group = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
      const isOurs =
        text.includes(folder) ||
        group.includes(`/${prefix}-`) ||
        readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
      return isOurs ? [`process ${pid}: ${text}`] : [];
    } catch {
      // It ended between two looks.
      return [];
    }
  });
}
