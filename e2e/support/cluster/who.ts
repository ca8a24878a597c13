import { join } from 'node:path';
import * as v from 'valibot';
import type { Namespace } from '../../../src/lab/namespace.ts';
import { runToEnd } from '../../../src/lab/process.ts';
import { CACHE_BIN } from '../cache.ts';
import type { Kubectl, Pod } from './kubectl.ts';
import type { Node } from './node.ts';

// The test pods' program (e2e/programs/who), called in a pod or on a machine of the LAN.

const TIMEOUT_MS = 60_000;

const answersSchema = v.object({
  seen: v.record(v.string(), v.number()),
  failed: v.number(),
  lastError: v.optional(v.string()),
});
const apiSchema = v.object({ status: v.number(), body: v.string() });

/** Each different answer with how often it came; how many questions were not answered, and why the last one was not. */
export type Answers = v.InferOutput<typeof answersSchema>;

/** Somewhere that the program can be called: what stands before its arguments. */
export type Asker = (...args: readonly string[]) => readonly string[];

export function fromMachine(machine: Namespace): Asker {
  return (...args) => machine.command([join(CACHE_BIN, 'who'), ...args]);
}

export function fromPod(kubectl: Kubectl, { name, namespace }: Pick<Pod, 'name' | 'namespace'>): Asker {
  return (...args) => kubectl.command('exec', '--namespace', namespace, name, '--', '/bin/who', ...args);
}

/** In a pod's network, by its address, without the API server, the kubelet and the runtime. */
export async function fromPodNetwork(node: Node, ip: string): Promise<Asker> {
  const script =
    'for n in /run/netns/*; do nsenter --net="$n" ip -o -4 addr show to "$1" | grep -q . && echo "$n"; done; :';
  const path = (await node.run(['sh', '-c', script, 'sh', ip])).trim();
  if (path === '') throw new Error(`no network namespace on ${node.name} has ${ip}`);
  return (...args) => node.command(['nsenter', `--net=${path}`, 'who', ...args]);
}

/** Asks `times` times, each by a new connection. Questions without an answer are in `failed`; throws where nothing was asked at all. */
export async function get(from: Asker, url: string, times = 1): Promise<Answers> {
  return v.parse(answersSchema, await said(from('get', url, String(times))));
}

/** The same for a time, one question after the other. */
export async function getFor(from: Asker, url: string, seconds: number): Promise<Answers> {
  return v.parse(answersSchema, await said(from('get', url, `${seconds}s`), seconds * 1000));
}

/** Asks all the time while something else goes on, by each of these; what came of all of them together. */
export async function getDuring(
  askers: readonly { readonly from: Asker; readonly url: string }[],
  work: () => Promise<unknown>,
): Promise<Answers> {
  const over = new AbortController();
  const parts: Answers[] = [];
  const asking = Promise.allSettled(
    askers.map(async ({ from, url }) => {
      while (!over.signal.aborted) parts.push(await getFor(from, url, 1));
    }),
  );
  try {
    await work();
  } finally {
    over.abort();
  }
  for (const outcome of await asking) if (outcome.status === 'rejected') throw outcome.reason;
  const all = parts.reduce(added, { seen: {}, failed: 0 });
  if (all.failed === 0 && Object.keys(all.seen).length === 0) throw new Error('nothing was asked');
  return all;
}

function added(a: Answers, b: Answers): Answers {
  const names = new Set([...Object.keys(a.seen), ...Object.keys(b.seen)]);
  const seen = [...names].map((name) => [name, (a.seen[name] ?? 0) + (b.seen[name] ?? 0)] as const);
  return {
    seen: Object.fromEntries(seen),
    failed: a.failed + b.failed,
    lastError: b.lastError ?? a.lastError,
  };
}

/** The names of the hosts that answered /who, and the addresses that they saw asking. */
export function hostsIn(answers: Answers): readonly string[] {
  return Object.keys(answers.seen).map((answer) => answer.split(' ')[0] ?? '');
}

/** GET from the API server by the service `kubernetes`, with the pod's own token. */
export async function askApi(from: Asker, path: string): Promise<v.InferOutput<typeof apiSchema>> {
  return v.parse(apiSchema, await said(from('api', path)));
}

async function said(command: readonly string[], longerMs = 0): Promise<unknown> {
  const outcome = await runToEnd(command, { timeoutMs: TIMEOUT_MS + longerMs });
  const line = outcome.stdout.trim();
  if (!line.startsWith('{'))
    throw new Error(
      `${command.join(' ')}: ${outcome.stopped ?? `exit status ${outcome.status}`}: ${outcome.stderr.trim()}`,
    );
  return JSON.parse(line);
}
