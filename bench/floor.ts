import { UPLINK } from '../src/lab/host.ts';
import { CommandError } from '../src/lab/process.ts';
import { IFNAME } from './driver.ts';
import type { BenchHome } from './home.ts';

const NS_PER_MS = 1e6;
const LIMIT_MS = 60_000;
/** In the LAN's network, and not of the pool. */
const ADDRESS = '10.77.0.40/16';

/** Milliseconds that the kernel took for one interface, by floor.c: the macvlan, the way into the namespace, address and route. */
export type KernelTimes = { readonly link: number; readonly enter: number; readonly address: number };

/** Reads what floor.c prints. */
export function parseFloor(text: string): readonly KernelTimes[] {
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([word]) => word === 'floor')
    .map(([, link, enter, address]) => ({
      link: Number(link) / NS_PER_MS,
      enter: Number(enter) / NS_PER_MS,
      address: Number(address) / NS_PER_MS,
    }));
}

/** Makes, configures and removes an interface in each of the first `count` namespaces. Throws CommandError. */
export async function measureKernel(
  { lan, pods, options, signal }: BenchHome,
  count: number,
): Promise<readonly KernelTimes[]> {
  const words = [options.floor, UPLINK, IFNAME, ADDRESS, lan.routerAddress.address];
  const outcome = await lan.node.namespace.runToEnd(words, {
    input: pods
      .paths(count)
      .map((path) => `${path}\n`)
      .join(''),
    timeoutMs: LIMIT_MS,
    signal,
  });
  if (outcome.status !== 0) throw new CommandError(words, outcome.stopped ?? outcome.stderr.trim(), outcome);
  return parseFloor(outcome.stdout);
}

/** Milliseconds from start to end of a program that does nothing, one after another. */
export async function measureEmpty(
  { driver, lan, options, signal }: BenchHome,
  count: number,
): Promise<readonly number[]> {
  const jobs = Array.from({ length: count }, (_, at) => ({ id: `empty-${at}`, netns: '-' }));
  const { done } = await driver.run(jobs, {
    node: lan.node.namespace,
    command: 'VERSION',
    plugin: options.empty,
    conf: '/dev/null',
    atOnce: 1,
    env: {},
    signal,
  });
  return done.map(({ startMs, endMs }) => endMs - startMs);
}
