import { findShim, readShim, type ShimState } from '../lab-node.ts';
import { waitFor } from '../wait.ts';
import { namespaceOf, type BreakSite, type LabBreak } from './break.ts';

const DEADLINE_MS = 10_000;
const EVERY_MS = 1;

function hasAll(there: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((one) => there.includes(one));
}

function isBack(now: ShimState, before: ShimState): boolean {
  return hasAll(now.addresses, before.addresses) && hasAll(now.routes, before.routes);
}

/** Runs `ip` on the node and says after how long the shim was as before. */
async function disturb(site: BreakSite, name: string, command: readonly string[]): Promise<void> {
  const node = namespaceOf(site, 'node');
  const before = await readShim(node, name);
  await node.ip(...command);
  const begun = performance.now();
  await waitFor(`${name} to be as it was`, async () => isBack(await readShim(node, name), before), {
    deadlineMs: DEADLINE_MS,
    everyMs: EVERY_MS,
  });
  const ms = Math.ceil(performance.now() - begun);
  site.say(`ip ${command.join(' ')}: address and ${before.routes.length} routes are back within ${ms} ms`);
}

export const flushShim: LabBreak = {
  name: 'flush-shim',
  does: "The node's shim interface is flushed, as DHCP clients do to interfaces that they do not know, and then removed.",
  seen: 'Nothing: the daemon sees it and puts everything back by itself.',
  passing: true,
  needsHostSide: true,
  // The daemon is paused there: nobody would mend it.
  notWith: ['service-leak'],
  async make(site) {
    const shim = await findShim(namespaceOf(site, 'node'));
    if (shim === undefined) throw new Error('there is no shim interface on the node');
    await disturb(site, shim.name, ['addr', 'flush', 'dev', shim.name]);
    await disturb(site, shim.name, ['link', 'del', shim.name]);
  },
  heal: () => Promise.resolve(),
};
