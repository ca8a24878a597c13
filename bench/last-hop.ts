/**
 * What the last hop costs: iperf3 from a client through a bridge to a macvlan pod, with and without the table in turn.
 * Started by `make bench BENCH_ARGS=--last-hop`; prints a table.
 */
import * as v from 'valibot';
import { parseJson } from '../src/base/json.ts';
import { removeLastHop, setLastHop } from '../src/kernel/last-hop.ts';
import { readLink } from '../src/kernel/link-ioctl.ts';
import { NetNs } from '../src/kernel/netns.ts';
import { Namespace } from '../src/lab/namespace.ts';
import { Resources } from '../src/lab/resources.ts';
import { waitFor } from '../src/lab/wait.ts';
import { figure, markdownTable } from './markdown.ts';
import { median } from './statistics.ts';

const CLIENT = '192.168.78.50';
const POD = '192.168.78.93';
/** Without, with, without, with ...: what else the machine does changes over seconds. */
const PAIRS = 5;
const SECONDS = 2;
const BITS_PER_GBIT = 1e9;
const BYTES_PER_GB = 1e9;

type Load = { readonly name: string; readonly flags: readonly string[] };

const LOADS: readonly Load[] = [
  { name: 'TCP, the client sends', flags: [] },
  { name: 'TCP, the pod sends', flags: ['-R'] },
  // Each datagram is a packet of its own: no segmentation offload spreads the cost over 64 KiB.
  { name: 'UDP, 64 bytes, the pod sends', flags: ['-R', '-u', '-b', '0', '-l', '64'] },
];

const streamSchema = v.object({ bytes: v.number(), bits_per_second: v.number(), seconds: v.number() });
const resultSchema = v.object({
  end: v.object({
    sum_received: v.optional(streamSchema),
    sum: v.optional(v.object({ ...streamSchema.entries, packets: v.number() })),
    cpu_utilization_percent: v.object({ host_total: v.number(), remote_total: v.number() }),
  }),
});

/** `rate`: Gbit/s, or thousand packets a second for UDP. `cpu`: of both ends, seconds per GB or per million packets. */
type Run = { readonly rate: number; readonly cpu: number };

const PER_THOUSAND = 1000;
const PER_MILLION = 1e6;
const PERCENT = 100;

async function measureOnce(client: Namespace, load: Load): Promise<Run> {
  const text = await client.run(['iperf3', '-J', '-c', POD, '-t', `${SECONDS}`, ...load.flags]);
  const json = parseJson(text);
  if (!json.ok) throw new Error(`iperf3 said no JSON: ${text.slice(0, 200)}`);
  const { end } = v.parse(resultSchema, json.value);
  const { host_total: host, remote_total: remote } = end.cpu_utilization_percent;
  const cpuSeconds = (seconds: number): number => ((host + remote) / PERCENT) * seconds;
  if (end.sum_received !== undefined && !load.flags.includes('-u')) {
    const { bytes, bits_per_second: bits, seconds } = end.sum_received;
    return { rate: bits / BITS_PER_GBIT, cpu: (cpuSeconds(seconds) / bytes) * BYTES_PER_GB };
  }
  if (end.sum === undefined) throw new Error('iperf3 counted nothing');
  const { packets, seconds } = end.sum;
  return { rate: packets / seconds / PER_THOUSAND, cpu: (cpuSeconds(seconds) / packets) * PER_MILLION };
}

async function buildLan(
  resources: Resources,
): Promise<{ readonly client: Namespace; readonly pod: Namespace }> {
  const make = (name: string): Promise<Namespace> =>
    Namespace.create(`lh-bench-hop-${process.pid}-${name}`, resources);
  const [lan, client, node, pod] = [
    await make('sw'),
    await make('cli'),
    await make('node'),
    await make('pod'),
  ];
  await lan.ip('link', 'add', 'br0', 'type', 'bridge');
  await lan.ip('link', 'set', 'br0', 'up');
  for (const [port, host] of [
    ['cliu', client],
    ['nodeu', node],
  ] as const) {
    await lan.ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.name);
    await lan.ip('link', 'set', port, 'master', 'br0', 'up');
    await host.ip('link', 'set', 'eth0', 'up');
  }
  await node.ip(
    'link',
    'add',
    'link',
    'eth0',
    'name',
    'eth0',
    'netns',
    pod.name,
    'type',
    'macvlan',
    'mode',
    'bridge',
  );
  await pod.ip('link', 'set', 'eth0', 'up');
  await client.ip('addr', 'add', `${CLIENT}/24`, 'dev', 'eth0');
  await pod.ip('addr', 'add', `${POD}/24`, 'dev', 'eth0');
  return { client, pod };
}

async function main(): Promise<void> {
  await using resources = new Resources();
  const { client, pod } = await buildLan(resources);
  await pod.start(['iperf3', '-s'], { name: 'iperf3', logFile: '/dev/null' }, resources);
  await waitFor('iperf3 to listen', async () => (await pod.run(['ss', '-Htln'])).includes(':5201'));
  using netns = NetNs.open(pod.path);
  const index = readLink('eth0', netns)?.index ?? 0;
  const rows: string[][] = [];
  for (const load of LOADS) {
    const without: Run[] = [];
    const withTable: Run[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      await removeLastHop(netns, 'eth0');
      without.push(await measureOnce(client, load));
      await setLastHop(netns, index, 'eth0');
      withTable.push(await measureOnce(client, load));
      console.error(`bench: ${load.name}, pair ${pair + 1} of ${PAIRS}`);
    }
    rows.push(rowOf(load, without, withTable));
  }
  const head = ['Load', 'unit', 'without', 'with', 'change', 'CPU without', 'CPU with', 'change'];
  console.log(markdownTable(head, rows));
  console.log(
    '\nMedians of the pairs. CPU: of both ends as iperf3 tells it, seconds per GB, for UDP per million packets.',
  );
}

function change([a, b]: readonly [number, number]): string {
  return `${figure((b / a - 1) * PERCENT)} %`;
}

function rowOf(load: Load, without: readonly Run[], withTable: readonly Run[]): string[] {
  const rates = [median(without.map(({ rate }) => rate)), median(withTable.map(({ rate }) => rate))] as const;
  const cpus = [median(without.map(({ cpu }) => cpu)), median(withTable.map(({ cpu }) => cpu))] as const;
  const unit = load.flags.includes('-u') ? '1,000 packets/s' : 'Gbit/s';
  return [
    load.name,
    unit,
    figure(rates[0]),
    figure(rates[1]),
    change(rates),
    figure(cpus[0]),
    figure(cpus[1]),
    change(cpus),
  ];
}

await main();
