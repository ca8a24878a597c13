import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { run, runToEnd } from '../src/lab/process.ts';

const BYTES_PER_GIB = 2 ** 30;
/** A machine that idles has less than this for each core. */
const BUSY_LOAD_PER_CORE = 0.25;

/** A sentence for a report when the machine had other things to do, by its one-minute load average before; else nothing. */
export function noiseText(cores: number, loadBefore: number): string {
  const busy = loadBefore > cores * BUSY_LOAD_PER_CORE;
  return busy ? ' **Other programs were busy at that time, so the numbers are noisy.**' : '';
}

/** What the numbers were measured on and with. */
export type Machine = {
  readonly date: string;
  readonly cores: number;
  readonly cpu: string;
  readonly kernel: string;
  readonly memoryGib: number;
  /** One-minute load average before anything was measured: what else the machine was doing. */
  readonly loadBefore: number;
  readonly node: string;
  readonly leasehold: string;
  readonly goPlugins: string;
  readonly dnsmasq: string;
  readonly kea: string;
};

/** With the commit where the folder is a checkout; "+" says that files differ from it. */
export async function leaseholdVersion(root: string): Promise<string> {
  const own = (await run([join(root, 'bin', 'leasehold'), 'version'])).trim();
  const described = await runToEnd([
    'git',
    '--no-optional-locks',
    '-C',
    root,
    'describe',
    '--always',
    '--dirty=+',
  ]);
  return described.status === 0 ? `${own} (${described.stdout.trim()})` : own;
}

/** `goVersion` is what the script that provided the Go plugins says of them. */
export async function describeMachine(root: string, goVersion: string): Promise<Machine> {
  const [before] = loadavg();
  const dnsmasq = /version (\S+)/.exec(await run(['dnsmasq', '--version']))?.[1];
  const [kea] = (await run(['kea-dhcp4', '-V'])).split('\n');
  const model = /^model name\s*: (.*)$/m.exec(await readFile('/proc/cpuinfo', 'utf8'))?.[1];
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    cores: cpus().length,
    cpu: model ?? 'unknown',
    kernel: release(),
    memoryGib: totalmem() / BYTES_PER_GIB,
    loadBefore: before ?? Number.NaN,
    node: process.version,
    leasehold: await leaseholdVersion(root),
    goPlugins: goVersion,
    dnsmasq: dnsmasq ?? 'unknown',
    kea: kea ?? 'unknown',
  };
}
