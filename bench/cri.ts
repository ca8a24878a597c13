/**
 * What a kubelet waits for: sandboxes of a real containerd with Leasehold, with the Go plugins, and with a plugin that does
 * nothing, in turn. Started by scripts/bench.sh --cri; writes its section of docs/benchmarks.md.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { NodeSpace } from '../e2e/support/cri/node-space.ts';
import { parseCidr } from '../src/base/cidr.ts';
import { invariant } from '../src/base/invariant.ts';
import { HomeLan } from '../src/lab/home-lan.ts';
import { measureCri, type CriSize } from './cri-measure.ts';
import { CRI_HEADING, criReport } from './cri-report.ts';
import { startSides } from './cri-sides.ts';
import { leaseholdVersion } from './machine.ts';
import { withSection } from './sections.ts';

const ROOT = join(import.meta.dirname, '..');
/** Room for the sandboxes of all rounds, should nothing be released. */
const ROUTER = '10.77.0.1/16';
const NODE = '10.77.0.2/16';
/** 110 is what a kubelet allows on a node (maxPods). */
const FULL: readonly CriSize[] = [
  { atOnce: 1, perRound: 8, rounds: 5 },
  { atOnce: 20, perRound: 1, rounds: 5 },
  { atOnce: 50, perRound: 1, rounds: 3 },
  { atOnce: 110, perRound: 1, rounds: 3 },
];
const QUICK: readonly CriSize[] = FULL.map((size) => ({ ...size, rounds: 1 }));
/** No new round after it: a run is over in eight minutes on a machine with nothing else to do. */
const UNTIL_MS = 6 * 60 * 1000;

const USAGE = `make bench-cri [BENCH_ARGS="--quick --output FILE"]

  --quick        one round of each size; the section goes to stdout only
  --output FILE  the file whose section is written; docs/benchmarks.md by default
`;

async function main(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      output: { type: 'string', default: 'docs/benchmarks.md' },
      'go-plugins': { type: 'string' },
      'go-version': { type: 'string' },
      'fixed-result': { type: 'string' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const { 'go-plugins': goPlugins, 'go-version': goVersion, 'fixed-result': fixedResult } = values;
  invariant(
    goPlugins !== undefined && goVersion !== undefined && fixedResult !== undefined,
    'scripts/bench.sh',
  );
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interruption.abort(new Error('interrupted')));
  const say = (text: string): void => {
    interruption.signal.throwIfAborted();
    console.error(`bench: ${(performance.now() / 1000).toFixed(0).padStart(4)} s  ${text}`);
  };

  const [loadBefore = Number.NaN] = loadavg();
  const address = parseCidr(NODE);
  invariant(address !== undefined, `${NODE} is an address with a prefix`);
  say('making a home LAN, a node, both daemons and a containerd for each');
  await using lan = await HomeLan.create({
    router: ROUTER,
    hosts: { node: { address } },
    server: { kind: 'dnsmasq' },
    signal: interruption.signal,
  });
  await using space = await NodeSpace.create(lan);
  const runtimes = await startSides(lan, space, { root: ROOT, goPlugins, fixedResult });
  using disposables = new DisposableStack();
  for (const runtime of new Set(Object.values(runtimes))) disposables.use(runtime);
  const sizes = values.quick ? QUICK : FULL;
  const measured = await measureCri({ lan, runtimes, sizes, untilMs: UNTIL_MS, say });
  const { runtimeName, runtimeVersion } = await runtimes.leasehold.cri.version();
  const [loadAfter = Number.NaN] = loadavg();
  const section = criReport(
    {
      date: new Date().toISOString().slice(0, 16).replace('T', ' '),
      seconds: performance.now() / 1000,
      cores: cpus().length,
      loadBefore,
      loadAfter,
      runtime: `${runtimeName} ${runtimeVersion}`,
      leasehold: await leaseholdVersion(ROOT),
      goPlugins: goVersion,
    },
    measured,
  );
  process.stdout.write(section);
  if (values.quick) return;
  const output = resolve(ROOT, values.output);
  await writeFile(output, withSection(await readFile(output, 'utf8'), CRI_HEADING, section));
  console.error(`bench: written to ${output}`);
}

await main(process.argv.slice(2));
