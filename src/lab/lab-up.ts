import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { startDaemon } from './daemon.ts';
import { findDhcpClient } from './dhcp-client.ts';
import { HomeLan } from './home-lan.ts';
import { attachToLab, detachFromLab, openLab, type LabHandle } from './lab-handle.ts';
import { hasHostSide } from './lab-matrix.ts';
import { showNodeSide } from './lab-node.ts';
import { Steps, type Output } from './lab-output.ts';
import type { LabParts } from './lab-parts.ts';
import { startServices } from './lab-services.ts';
import { showPods, showReachability } from './lab-show.ts';
import { newLabFolder, writeState, type LabPaths, type PodState } from './lab-state.ts';
import { logTail } from './long-process.ts';
import { podRows, type PodRow } from './pod-row.ts';
import { Resources } from './resources.ts';
import { HOME_DOMAIN } from './server-dnsmasq.ts';

/** Without the services, and without the last one, which takes it down. */
const STEPS = 3;
/** A configuration of more characters is not one line of the output. */
const SHORT = 120;
const PODS = ['pod1', 'pod2', 'pod3'] as const;
/** In place of a minute: a person is waiting. */
export const ADD_DEADLINE_SECONDS = 5;
const ROUTER = '192.168.2.1/24';

export type UpOptions = {
  readonly parts: LabParts;
  readonly keep: boolean;
  readonly output: Output;
  readonly signal: AbortSignal;
};

async function buildHome(
  steps: Steps,
  { prefix, paths }: LabHandle,
  resources: Resources,
  signal: AbortSignal,
): Promise<HomeLan> {
  steps.next(
    'A home: a router with DHCP and DNS (dnsmasq), a node and a laptop, each with a cable to the router',
  );
  const lan = await HomeLan.create({ prefix, folder: paths.lan, router: ROUTER, resources, signal });
  const { first, last } = lan.pool;
  steps.note(`the router is ${lan.routerAddress.address} and gives out ${first} to ${last}`);
  const [node, laptop] = await Promise.all([lan.node.address(), lan.laptop.address()]);
  const client = await findDhcpClient();
  steps.note(
    `the node got ${node} and the laptop ${laptop} from it, by DHCP (${client}), as any machine at home`,
  );
  const resolv = `search ${HOME_DOMAIN}\nnameserver ${lan.routerAddress.address}\n`;
  await writeFile(paths.resolvConf, resolv);
  return lan;
}

async function startNode(steps: Steps, lan: HomeLan, paths: LabPaths, options: UpOptions): Promise<void> {
  steps.next('The Leasehold daemon, on the node');
  const { parts, signal } = options;
  await writeFile(paths.daemonConfig, JSON.stringify({ dhcp: { deadlineSeconds: ADD_DEADLINE_SECONDS } }));
  await startDaemon(lan.node.namespace, {
    command: parts.daemon(paths),
    socket: paths.socket,
    readiness: parts.readiness,
    logFile: paths.daemonLog,
    name: 'the daemon',
    resources: lan.resources,
    signal,
  });
  steps.note('one process speaks DHCP for all pods of the node and remembers their leases');
}

async function attachPods(
  steps: Steps,
  lab: LabHandle,
  options: UpOptions,
  resources: Resources,
): Promise<readonly PodState[]> {
  steps.next('Three pods on the node, attached as a container runtime does it, by this configuration');
  const conf = (await readFile(lab.paths.conflist, 'utf8')).replaceAll(/\s+/g, ' ').trim();
  steps.note(conf.length <= SHORT ? conf : options.parts.conflist);
  const pods: PodState[] = [];
  for (const name of PODS) {
    options.signal.throwIfAborted();
    pods.push(await attachToLab(lab, name, resources));
  }
  const { style } = options.output;
  steps.note(
    `each asked the router for an address of its own: ${style.good('a pod is now a neighbour on the LAN')}`,
  );
  return pods;
}

/** The node becomes a small cluster: two services and a node port, as kube-proxy makes them. */
async function addServices(
  steps: Steps,
  lab: LabHandle,
  rows: readonly PodRow[],
  options: UpOptions,
  resources: Resources,
): Promise<void> {
  const [first] = rows;
  if (first?.view.address === undefined) return;
  steps.next('Services of a cluster on the node, by rules as kube-proxy writes them');
  await startServices(lab, first, resources, options.signal);
  steps.note(`a web server in ${first.pod.name}, and one on the node that stands for the API server`);
}

/** Prints what there is and gives whether it is as it ought to be. */
async function report(lab: LabHandle, rows: readonly PodRow[], options: UpOptions): Promise<boolean> {
  const { output, signal } = options;
  output.write('\n');
  await showPods(output, lab, rows);
  output.write('\n');
  await showNodeSide(output, lab);
  const reached = await showReachability(output, lab, rows, signal);
  const without = rows.filter(({ view }) => view.address === undefined);
  for (const { pod } of without) output.write(output.style.bad(`${pod.name} did not get an address\n`));
  return reached && without.length === 0;
}

function whatNext(lab: LabHandle, keep: boolean, { style }: Output): string {
  const command = (text: string, what: string): string => `  ${style.bold(text.padEnd(30))} ${what}\n`;
  if (!keep) {
    return (
      `\n${style.bold('What next')}\n` +
      command('leasehold lab --keep', 'the same home, and it stays up for you to look around and to break')
    );
  }
  return (
    `\n${style.bold('What next')} (lab ${lab.id}, files in ${lab.paths.folder})\n` +
    command('leasehold lab shell laptop', 'a shell on the laptop: ping a pod; also node, router, pod1 ...') +
    command('leasehold lab attach NAME', 'one more pod') +
    command('leasehold lab detach NAME', 'the pod leaves and its lease goes back to the router') +
    command('leasehold lab break', 'faults to try, and what "leasehold doctor" says of each') +
    command('leasehold lab status', 'the tables again') +
    command('leasehold lab down', 'everything goes')
  );
}

async function takeDown(steps: Steps, lab: LabHandle, pods: readonly PodState[]): Promise<void> {
  for (const pod of pods) await detachFromLab(lab, pod);
  steps.note(`${pods.length} pods detached; daemon, router, laptop and their files are removed`);
}

async function build(resources: Resources, lab: LabHandle, options: UpOptions): Promise<boolean> {
  const { keep, output, signal } = options;
  const withServices = hasHostSide(lab);
  const steps = new Steps(output, STEPS + (withServices ? 1 : 0) + (keep ? 0 : 1));
  const lan = await buildHome(steps, lab, resources, signal);
  signal.throwIfAborted();
  await startNode(steps, lan, lab.paths, options);
  const pods = await attachPods(steps, lab, options, resources);
  const rows = podRows(lab, pods);
  if (withServices) await addServices(steps, lab, rows, options, resources);
  const good = await report(lab, rows, options);
  output.write(`${whatNext(lab, keep, output)}\n`);
  if (!keep) {
    steps.next('Taking it down');
    await takeDown(steps, lab, pods);
  }
  return good;
}

/** Builds the home, shows it, and takes it down again unless it is to be kept. True when all was as it ought to be. */
export async function labUp(options: UpOptions): Promise<boolean> {
  const { output, parts } = options;
  const { id, paths } = await newLabFolder();
  const prefix = `lhlab-${id}`;
  const state = {
    schema: 1,
    id,
    createdAt: Date.now(),
    prefix,
    binDir: parts.binDir,
    routerAddress: ROUTER,
  } as const;
  await using resources = new Resources([], (made) => writeState(paths, state, made));
  resources.add({ kind: 'folder', path: paths.folder });
  output.write(
    `${output.style.bold('Leasehold lab')}: a home network inside this machine, in namespaces of its own. Your own network is not touched.\n\n`,
  );
  try {
    await copyFile(parts.conflist, paths.conflist);
    const good = await build(resources, await openLab(state, options.signal), options);
    if (options.keep) resources.keep();
    return good;
  } catch (error) {
    // Its log goes with the folder: what it said last is often the reason.
    const said = options.signal.aborted ? '' : await logTail(paths.daemonLog);
    if (said !== '') output.write(`\nthe daemon's log ends with:\n${said}\n`);
    throw error;
  }
}
