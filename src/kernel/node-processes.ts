import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What pid_max allows is a hundred times that; a node with more processes is seen in part. */
const MOST_PROCESSES = 32_768;
const MOST_ARGUMENT_CHARS = 64 << 10;
const MOST_SOCKET_LINES = 65_536;
/** linux/net.h, __SO_ACCEPTCON: the flag of a socket that somebody listens at, in /proc/net/unix. */
const SO_ACCEPTCON = 0x10000;

export type ProcessLook = { readonly pid: number; readonly argv: readonly string[] };

/** The processes of this network namespace. One that ends meanwhile, or may not be looked at, is left out. */
export function processesHere(): readonly ProcessLook[] {
  const here = readlinkSync('/proc/self/ns/net');
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.slice(0, MOST_PROCESSES).flatMap((pid) => {
    const argv = argvIn(pid, here);
    return argv === undefined ? [] : [{ pid: Number(pid), argv }];
  });
}

function argvIn(pid: string, namespace: string): readonly string[] | undefined {
  try {
    if (readlinkSync(`/proc/${pid}/ns/net`) !== namespace) return undefined;
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').slice(0, MOST_ARGUMENT_CHARS);
    return line === '' ? [] : line.replace(/\0+$/, '').split('\0');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

/** The paths of the sockets of this network namespace that somebody listens at. */
export function listeningPaths(): ReadonlySet<string> {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n').slice(1, MOST_SOCKET_LINES);
  return new Set(
    lines.flatMap((line) => {
      // Num RefCount Protocol Flags Type St Inode Path
      const match = /^\S+ \S+ \S+ ([0-9A-F]+) \S+ \S+ +\d+ (\/.*)$/i.exec(line);
      const listens = match !== null && (Number.parseInt(match[1] ?? '', 16) & SO_ACCEPTCON) !== 0;
      return listens ? [match[2] ?? ''] : [];
    }),
  );
}
