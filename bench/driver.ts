import { parseIpv4, type Ipv4 } from '../src/base/ipv4.ts';
import { parseMac, type Mac } from '../src/base/mac.ts';
import type { Namespace } from '../src/lab/namespace.ts';
import { CommandError } from '../src/lab/process.ts';

/** The driver's own bound of jobs in one run is 4096; open files bound it earlier (one for each job's output). */
const MAX_JOBS = 500;
const LIMIT_SECONDS = 60;
const LIMIT_SLACK_SECONDS = 10;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
const NS_PER_MS = 1e6;

/** The interface that every container gets. */
export const IFNAME = 'eth0';

export type Job = { readonly id: string; readonly netns: string };

/** What the driver found in a container's namespace after its job. */
export type Seen = { readonly mac: Mac; readonly address: Ipv4 | undefined };

/** Milliseconds on the kernel's monotonic clock. */
export type Done = {
  readonly id: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly status: number;
  readonly stdoutBytes: number;
  readonly seen: Seen | undefined;
  readonly said: string;
};

export type Run = {
  /** The node in whose namespace the plugin is started. */
  readonly node: Namespace;
  /** The daemon whose processor time is counted. */
  readonly daemon?: number;
  readonly command: 'ADD' | 'DEL' | 'VERSION';
  readonly plugin: string;
  /** The file that each gets on its standard input. */
  readonly conf: string;
  readonly atOnce: number;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
};

const UNSPECIFIED = '0.0.0.0';

function parseJob(words: readonly string[]): Done {
  const [, id = '', start, end, status, length, link, mac = '', address = ''] = words;
  const hardware = link === 'yes' ? parseMac(mac) : undefined;
  return {
    id,
    startMs: Number(start) / NS_PER_MS,
    endMs: Number(end) / NS_PER_MS,
    status: Number(status),
    stdoutBytes: Number(length),
    seen:
      hardware === undefined
        ? undefined
        : { mac: hardware, address: address === UNSPECIFIED ? undefined : parseIpv4(address) },
    said: '',
  };
}

/** Reads what driver.c prints. */
export function parseDriverOutput(text: string): readonly Done[] {
  const done = new Map<string, Done>();
  for (const line of text.split('\n')) {
    const words = line.split(' ');
    const id = words[1] ?? '';
    const before = done.get(id);
    if (words[0] === 'job') done.set(id, parseJob(words));
    else if (words[0] === 'said' && before !== undefined)
      done.set(id, { ...before, said: words.slice(2).join(' ') });
  }
  return [...done.values()];
}

/** Processor milliseconds of the daemon; undefined when none was asked about. */
export function parseDriverCpu(text: string): number | undefined {
  const ns = /^cpu (\d+)$/m.exec(text)?.[1];
  return ns === undefined ? undefined : Number(ns) / NS_PER_MS;
}

export type Driven = {
  readonly done: readonly Done[];
  /** The daemon's processor time from the first start to the last end; 0 without a daemon. */
  readonly cpuMs: number;
};

/** Starts plugins by driver.c. */
export class Driver {
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  /** All jobs, at most `atOnce` running; more than 500 jobs are run in portions. Throws CommandError. */
  async run(jobs: readonly Job[], run: Run): Promise<Driven> {
    const done: Done[] = [];
    let cpuMs = 0;
    for (let at = 0; at < jobs.length; at += MAX_JOBS) {
      const portion = await this.#portion(jobs.slice(at, at + MAX_JOBS), run);
      done.push(...portion.done);
      cpuMs += portion.cpuMs;
    }
    return { done, cpuMs };
  }

  async #portion(jobs: readonly Job[], run: Run): Promise<Driven> {
    const { node, daemon = 0, command, plugin, conf, atOnce, env, signal } = run;
    const numbers = [String(atOnce), String(LIMIT_SECONDS), String(daemon)];
    const words = [this.#program, command, plugin, conf, IFNAME, ...numbers];
    const outcome = await node.runToEnd(words, {
      input: jobs.map(({ id, netns }) => `${id} ${netns}\n`).join(''),
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env },
      timeoutMs: (LIMIT_SECONDS + LIMIT_SLACK_SECONDS) * 1000,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      signal,
    });
    if (outcome.status !== 0) {
      throw new CommandError(words, outcome.stopped ?? outcome.stderr.trim(), outcome);
    }
    return { done: parseDriverOutput(outcome.stdout), cpuMs: parseDriverCpu(outcome.stdout) ?? 0 };
  }
}
