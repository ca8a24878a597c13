import type { SysError } from '../base/sys-error.ts';
import { unkeepable } from '../cni/plugins/dhcp-ipam.ts';
import { missingCapabilities } from '../kernel/capabilities.ts';
import { makeProcSysWritable, procSysProblem } from '../kernel/proc-sys.ts';

type Log = {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

/**
 * Makes of the process what the runtime of its container left to do, and says what it could not. Throws an Error that
 * names the capabilities that it lacks: it gets them by no other way than a new start.
 */
export function makeFit(log: Log): void {
  const missing = missingCapabilities();
  if (missing.length > 0) {
    const named = missing.map(({ name, purpose }) => `${name} (${purpose})`).join(', ');
    throw new Error(`the daemon lacks ${named}: run it as root, and give them to its container or unit`);
  }
  const made = makeProcSysWritable();
  if (!made.ok) log.error({ reason: sysctlsText(made.error) }, 'no pod can be attached on this node');
  else if (made.value) log.info({}, '/proc/sys was read-only here: this process has it writable now');
}

/** Why the node's part of a pod cannot be done. It is looked at each time: it may be mended while the daemon runs. */
export function unfit(): string | undefined {
  const problem = procSysProblem();
  return problem === undefined ? undefined : sysctlsText(problem);
}

/** Why a node's pods would not be attached, for `readyz`: the above, and a store that takes no lease. */
export async function readiness(store: {
  writable(): Promise<SysError | undefined>;
}): Promise<string | undefined> {
  const reason = unfit();
  if (reason !== undefined) return reason;
  const unwritable = await store.writable();
  return unwritable === undefined ? undefined : unkeepable(unwritable);
}

function sysctlsText({ code, message }: SysError): string {
  const remedy =
    code === 'EROFS'
      ? 'mount(2) did not make it writable for the daemon: give its container CAP_SYS_ADMIN, and the AppArmor profile Unconfined'
      : 'where AppArmor or SELinux forbids it, run the container with the profile Unconfined, or the type spc_t';
  return `no sysctl of an interface can be set (${message}): ${remedy}`;
}
