import { MAX_IFNAME_BYTES } from '../base/ifname.ts';
import { invariant } from '../base/invariant.ts';

let made = 0;

/**
 * A prefix no other run on this machine uses at this moment: the process id tells processes apart, the counter the
 * labs of one process. Namespaces are machine-wide names under /run/netns, so they carry it.
 */
export function uniquePrefix(): string {
  made += 1;
  return `lh${process.pid}-${made}`;
}

/** `lh4711-1` and `router` make `lh4711-1-router`: nsfs file names are bounded by NAME_MAX only, but stay readable. */
export function namespaceName(prefix: string, host: string): string {
  invariant(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(host),
    `a host's name is letters, digits, dot, dash: ${host}`,
  );
  return `${prefix}-${host}`;
}

/**
 * The name of a host's port on the router's bridge. It lives in the router's own namespace and so need not be unique
 * on the machine, only short: `number` tells apart what the cut makes equal.
 */
export function portName(host: string, number: number): string {
  const start = `p${number}-`;
  return (start + host.replaceAll(/[^A-Za-z0-9-]/g, '')).slice(0, MAX_IFNAME_BYTES);
}
