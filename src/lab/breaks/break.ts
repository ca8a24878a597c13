import { invariant } from '../../base/invariant.ts';
import { hostNamespace, type LabHandle } from '../lab-handle.ts';
import { hasHostSide } from '../lab-matrix.ts';
import { readPods, type LabState } from '../lab-state.ts';
import { LabUsageError } from '../lab-usage-error.ts';
import { signalProcess, type ProcessId } from '../long-process.ts';
import type { Namespace } from '../namespace.ts';
import { podRows, type PodRow } from '../pod-row.ts';
import type { Resources } from '../resources.ts';

/** The lab's own processes by the names that they are registered under. */
export const DAEMON = 'the daemon';
export const DHCP_SERVER = 'dnsmasq';
/** A pod that a fault makes to show what happens to a new one. */
export const GUEST = 'guest';

/** What a fault has to work with. */
export type BreakSite = {
  readonly lab: LabHandle;
  readonly state: LabState;
  /** What is registered here goes when the lab is healed or taken down, by whatever process. */
  readonly resources: Resources;
  /** One line of what is being done or seen. */
  readonly say: (text: string) => void;
  /** Kept until the fault is healed: what was taken away, as a text to put it back from. */
  readonly save: (key: string, text: string) => void;
  readonly saved: () => Readonly<Record<string, string>>;
};

/** A fault that a person can look at. */
export type LabBreak = {
  readonly name: string;
  /** What it does, as a sentence. */
  readonly does: string;
  /** What a person would see of it. */
  readonly seen: string;
  /** It mends itself: nothing is left to heal. */
  readonly passing?: boolean;
  /** Until it is healed the daemon answers nobody. */
  readonly pausesDaemon?: boolean;
  /** Makes no sense in a network of the plain plugins. */
  readonly needsHostSide?: boolean;
  /** Faults beside which it could not be made, or healed. */
  readonly notWith?: readonly string[];
  readonly make: (site: BreakSite) => Promise<void>;
  /** Before the resources go. Right also after half a `make`, and twice. */
  readonly heal: (site: BreakSite) => Promise<void>;
};

export function namespaceOf(site: BreakSite, host: 'router' | 'node' | 'laptop'): Namespace {
  return hostNamespace(site.lab.prefix, host);
}

export function processOf(site: BreakSite, name: string): ProcessId {
  const found = site.state.resources.find((one) => one.kind === 'process' && one.name === name);
  invariant(found?.kind === 'process', `a lab has a process ${name}`);
  return found.id;
}

export function pauseProcess(site: BreakSite, name: string): void {
  signalProcess(processOf(site, name), 'SIGSTOP');
}

export function resumeProcess(site: BreakSite, name: string): void {
  signalProcess(processOf(site, name), 'SIGCONT');
}

function rowsOf(site: BreakSite): readonly PodRow[] {
  return podRows(site.lab, readPods(site.lab.paths));
}

/** Undefined for a pod that is not attached, or has no address. */
export function rowIfThere(site: BreakSite, name: string): PodRow | undefined {
  return rowsOf(site).find(({ pod, view }) => pod.name === name && view.address !== undefined);
}

/** The pod of this name. Throws LabUsageError when it is not attached. */
export function rowNamed(site: BreakSite, name: string): PodRow {
  const row = rowIfThere(site, name);
  if (row === undefined)
    throw new LabUsageError(`${name} is needed for it; "leasehold lab attach ${name}" brings it back`);
  return row;
}

/** Throws LabUsageError when somebody attached a pod of the guest's name. */
export function checkNoGuest(site: BreakSite): void {
  if (readPods(site.lab.paths).every(({ name }) => name !== GUEST)) return;
  throw new LabUsageError(`${GUEST} is there already; "leasehold lab detach ${GUEST}" takes it away`);
}

/** Throws LabUsageError for a fault that cannot be made in this lab, beside what is broken already. */
export function checkPossible(one: LabBreak, lab: LabHandle, broken: readonly LabBreak[]): void {
  if ((one.needsHostSide ?? false) && !hasHostSide(lab))
    throw new LabUsageError(`${one.name} needs a lab whose configuration has the plugin "leasehold"`);
  if (broken.includes(one))
    throw new LabUsageError(`${one.name} is there already; "leasehold lab heal ${one.name}" puts it right`);
  for (const other of broken) {
    if ((one.notWith ?? []).includes(other.name) || (other.notWith ?? []).includes(one.name))
      throw new LabUsageError(
        `${one.name} cannot be shown beside ${other.name}; "leasehold lab heal ${other.name}" first`,
      );
  }
}
