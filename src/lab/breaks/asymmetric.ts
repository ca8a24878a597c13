import { podOf } from '../lab-handle.ts';
import { servicePodOf } from '../lab-services.ts';
import type { Namespace } from '../namespace.ts';
import { rowIfThere, type BreakSite, type LabBreak } from './break.ts';

/** The netdev tables in a pod: Leasehold's are the only ones of a lab. */
async function tablesOf(pod: Namespace): Promise<readonly string[]> {
  const listed = await pod.run(['nft', 'list', 'tables', 'netdev']);
  return listed.split('\n').filter((line) => line.startsWith('table netdev '));
}

/** Undefined when the pod is gone, and the table with it. */
function podWithServer(site: BreakSite): Namespace | undefined {
  const row = rowIfThere(site, servicePodOf(site.lab) ?? '');
  return row === undefined ? undefined : podOf(site.lab, row.pod).namespace;
}

export const asymmetric: LabBreak = {
  name: 'asymmetric',
  does: "In the web server's pod the nftables table is switched off by which answers leave the way that the question came.",
  seen: 'The laptop does not reach the node port: the pod answers it directly, from an address that the laptop never asked.',
  needsHostSide: true,
  async make(site) {
    const pod = podWithServer(site);
    const tables = pod === undefined ? [] : await tablesOf(pod);
    if (pod === undefined || tables.length === 0)
      throw new Error('no pod with a web server has such a table');
    for (const table of tables) {
      // Asleep and not deleted: nft lists what it could not read again.
      await pod.run(['nft', '-f', '-'], { input: `${table} { flags dormant; }\n` });
      site.say(`in the pod: ${table} is put to sleep`);
    }
  },
  async heal(site) {
    const pod = podWithServer(site);
    if (pod === undefined) return;
    for (const table of await tablesOf(pod)) await pod.run(['nft', '-f', '-'], { input: `add ${table}\n` });
  },
};
