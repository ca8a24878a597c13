import { checkDaemonRuns, healBeforeDown } from './lab-break.ts';
import { detachFromLab, attachToLab, hostNamespace, openLab, podNameProblem } from './lab-handle.ts';
import { showNodeSide } from './lab-node.ts';
import type { Output } from './lab-output.ts';
import { showPods, showReachability } from './lab-show.ts';
import { listLabs, pathsOf, folderOf, readPods, type LabState, type PodState } from './lab-state.ts';
import { LabUsageError } from './lab-usage-error.ts';
import { deleteNamespace } from './namespace-name.ts';
import { podRows } from './pod-row.ts';
import { runInteractive, systemEnv } from './process.ts';
import { Resources } from './resources.ts';

const HOSTS: ReadonlySet<string> = new Set(['router', 'node', 'laptop']);

/**
 * The lab of this id, or the only one. With several up none is guessed: on a shared machine the newest may be another
 * person's, and most commands change it.
 */
export function chooseLab(id: string | undefined): LabState {
  const labs = listLabs();
  const ids = labs.map((one) => one.id).join(', ');
  if (id === undefined && labs.length > 1) {
    throw new LabUsageError(`${labs.length} labs are up (${ids}); say which with --id`);
  }
  const lab = id === undefined ? labs[0] : labs.find((one) => one.id === id);
  if (lab !== undefined) return lab;
  if (id === undefined) throw new LabUsageError('no lab is up; start one with "leasehold lab --keep"');
  throw new LabUsageError(`no lab ${id}; ${ids === '' ? 'none is up' : `up: ${ids}`}`);
}

function podNamed(state: LabState, name: string): PodState {
  const pods = readPods(pathsOf(folderOf(state.id)));
  const pod = pods.find((one) => one.name === name);
  if (pod !== undefined) return pod;
  const names = pods.map((one) => one.name).join(', ');
  throw new LabUsageError(
    `no pod ${name} in lab ${state.id}; there ${names === '' ? 'are none' : `is ${names}`}`,
  );
}

export async function labStatus(state: LabState, output: Output): Promise<boolean> {
  const lab = await openLab(state);
  const rows = podRows(lab, readPods(lab.paths));
  output.write(`${output.style.bold(`Lab ${state.id}`)}, files in ${lab.paths.folder}\n\n`);
  await showPods(output, lab, rows);
  output.write('\n');
  await showNodeSide(output, lab);
  return await showReachability(output, lab, rows);
}

export async function labAttach(state: LabState, name: string, output: Output): Promise<boolean> {
  const problem = podNameProblem(name);
  if (problem !== undefined) throw new LabUsageError(`cannot attach ${name}: ${problem}`);
  const lab = await openLab(state);
  checkDaemonRuns(lab);
  if (readPods(lab.paths).some((pod) => pod.name === name)) {
    throw new LabUsageError(`pod ${name} is there already; "leasehold lab detach ${name}" takes it away`);
  }
  await using resources = new Resources();
  const pod = await attachToLab(lab, name, resources);
  resources.keep();
  const rows = podRows(lab, [pod]);
  await showPods(output, lab, rows);
  return rows.every(({ view }) => view.address !== undefined);
}

export async function labDetach(state: LabState, name: string, output: Output): Promise<void> {
  const lab = await openLab(state);
  checkDaemonRuns(lab);
  const pod = podNamed(state, name);
  const [row] = podRows(lab, [pod]);
  const ms = await detachFromLab(lab, pod);
  await deleteNamespace(hostNamespace(lab.prefix, name).name);
  const address = row?.view.address?.address;
  output.write(`${name} is gone after ${ms.toFixed(1)} ms; it had ${address ?? 'no address'}\n`);
}

/** A shell on a machine or in a pod (`command` empty), or one command there. Gives its exit status. */
export async function labShell(state: LabState, name: string, command: readonly string[]): Promise<number> {
  if (!HOSTS.has(name)) podNamed(state, name);
  const paths = pathsOf(folderOf(state.id));
  const shell = process.env['SHELL'] ?? '/bin/sh';
  // Names are asked of the lab's router, in a mount namespace of the shell's own: the machine's resolv.conf stays.
  const script = 'mount --bind "$1" /etc/resolv.conf 2>/dev/null; shift; exec "$@"';
  const inside = ['unshare', '--mount', 'sh', '-c', script, 'sh', paths.resolvConf];
  const wanted = command.length > 0 ? command : [shell];
  const env = systemEnv({ LEASEHOLD_SOCKET: paths.socket, LEASEHOLD_LAB_HOST: name, PS1: `${name}# ` });
  return await runInteractive(hostNamespace(state.prefix, name).command([...inside, ...wanted]), env);
}

/** Takes a lab down, whoever started it and in whatever state it is. */
export async function labDown(state: LabState, output: Output): Promise<void> {
  const paths = pathsOf(folderOf(state.id));
  await healBeforeDown(state, output);
  const pods = readPods(paths);
  for (const pod of pods) {
    try {
      await detachFromLab(await openLab(state), pod);
    } catch (error) {
      output.write(
        `${pod.name} could not be detached in order: ${error instanceof Error ? error.message : String(error)}\n`,
      );
    }
    await deleteNamespace(hostNamespace(state.prefix, pod.name).name);
  }
  const left = new Resources(state.resources);
  await left[Symbol.asyncDispose]();
  output.write(
    `Lab ${state.id} is down: ${pods.length} pods, the daemon, router, node and laptop are gone\n`,
  );
}
