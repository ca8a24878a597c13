import { run, runToEnd, CommandError } from './process.ts';

/** Where `ip netns` keeps the names (ip-netns(8)). */
export const NETNS_FOLDER = '/run/netns';
/** The first `ip netns add` of a machine makes the folder a shared mount; two at once would mount it twice. */
const ADD_LOCK = '/run/leasehold-netns.lock';

export async function addNamespace(name: string): Promise<void> {
  await run(['flock', ADD_LOCK, 'ip', 'netns', 'add', name]);
}

/** Removes the name; the namespace itself goes with the last process in it. Gone already is success. */
export async function deleteNamespace(name: string): Promise<void> {
  const command = ['ip', 'netns', 'del', name];
  const outcome = await runToEnd(command);
  if (outcome.status === 0 || outcome.stderr.includes('No such file or directory')) return;
  throw new CommandError(command, outcome.stderr.trim(), outcome);
}
