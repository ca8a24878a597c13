import { podOf } from '../lab-handle.ts';
import { GUARD_TABLE, isGuarded } from '../lab-node.ts';
import { API_SERVICE, SERVICE_NETWORK } from '../lab-services.ts';
import type { Namespace } from '../namespace.ts';
import { waitFor } from '../wait.ts';
import { askWebServer } from '../web-servers.ts';
import {
  DAEMON,
  namespaceOf,
  pauseProcess,
  resumeProcess,
  rowIfThere,
  rowNamed,
  type BreakSite,
  type LabBreak,
} from './break.ts';
import { addOtherCluster, forgetOtherCluster, packetsAtOtherCluster } from './other-cluster.ts';

/** The pod that loses its route: not the one with the web server. */
const POD = 'pod2';
const API = `${API_SERVICE.address}:${API_SERVICE.port}`;
const BACK_DEADLINE_MS = 10_000;

async function removeRoute(site: BreakSite, pod: Namespace): Promise<void> {
  const route = (await pod.ip('-4', 'route', 'show', SERVICE_NETWORK)).trim();
  if (route === '') throw new Error(`${POD} has no route to ${SERVICE_NETWORK}`);
  site.save('route', route);
  await pod.ip('route', 'del', SERVICE_NETWORK);
}

async function removeGuard(node: Namespace): Promise<void> {
  for (const family of ['inet', 'netdev']) {
    const table = `table ${family} ${GUARD_TABLE}`;
    await node.run(['nft', '-f', '-'], { input: `${table} {}\ndelete ${table}\n` });
  }
}

async function tellWhoAnswers(site: BreakSite, pod: Namespace): Promise<void> {
  const answer = await askWebServer(pod, API_SERVICE);
  const arrived = await packetsAtOtherCluster(site);
  const who = answer === undefined ? 'nobody answers' : `${answer.server} answers`;
  site.say(`  ${POD} asks ${API}: ${who}; packets that arrived at the other cluster: ${arrived}`);
}

export const serviceLeak: LabBreak = {
  name: 'service-leak',
  does: `Behind the router is another cluster with the same service network. The daemon is paused, and what keeps ${POD}'s service traffic at home is taken away, one barrier after the other.`,
  seen: `Without any of it ${POD} talks to another cluster's API server, as pods with plain macvlan do. The daemon puts the guard back within milliseconds when it goes on.`,
  needsHostSide: true,
  pausesDaemon: true,
  async make(site) {
    const pod = podOf(site.lab, rowNamed(site, POD).pod).namespace;
    await addOtherCluster(site);
    site.say('everything in its place:');
    await tellWhoAnswers(site, pod);
    pauseProcess(site, DAEMON);
    await removeRoute(site, pod);
    site.say(`${POD} without its route to ${SERVICE_NETWORK}, so that it takes the router's:`);
    await tellWhoAnswers(site, pod);
    await removeGuard(namespaceOf(site, 'node'));
    site.say(`the node without its guard too (nft delete table inet and netdev ${GUARD_TABLE}):`);
    await tellWhoAnswers(site, pod);
  },
  async heal(site) {
    const row = rowIfThere(site, POD);
    const route = site.saved()['route'];
    if (row !== undefined && route !== undefined)
      await podOf(site.lab, row.pod).namespace.ip('route', 'replace', ...route.split(/\s+/));
    resumeProcess(site, DAEMON);
    await forgetOtherCluster(site);
    const node = namespaceOf(site, 'node');
    await waitFor('the guard to be back', async () => await isGuarded(node), {
      deadlineMs: BACK_DEADLINE_MS,
    });
  },
};
