import { CniPluginError } from '../cni-exec.ts';
import { createPod, attachPod } from '../pods.ts';
import { Resources } from '../resources.ts';
import {
  checkNoGuest,
  DHCP_SERVER,
  GUEST,
  pauseProcess,
  resumeProcess,
  type BreakSite,
  type LabBreak,
} from './break.ts';

/** A pod that nobody gives an address: what its runtime is told is what `kubectl describe pod` shows. */
async function tryGuest(site: BreakSite): Promise<void> {
  await using resources = new Resources();
  const pod = await createPod(GUEST, { prefix: site.lab.prefix, resources });
  const begun = performance.now();
  try {
    await attachPod(site.lab.runtime, site.lab.network, pod);
    site.say(`a new pod got an address all the same`);
  } catch (error) {
    if (!(error instanceof CniPluginError)) throw error;
    const seconds = Math.round((performance.now() - begun) / 1000);
    site.say(`a new pod does not start; after ${seconds} s (60 in earnest) its runtime is told:`);
    site.say(`  ${error.msg}`);
    if (error.details !== '') site.say(`  ${error.details}`);
  }
}

export const noServer: LabBreak = {
  name: 'no-server',
  does: "The router's DHCP server (dnsmasq) is stopped.",
  seen: 'Running pods do not notice until their leases end, 12 hours later; a new pod gets no address, and is told why.',
  // The daemon is paused there: nobody would answer.
  notWith: ['service-leak'],
  async make(site) {
    checkNoGuest(site);
    // A stopped process keeps its socket and answers nothing, and goes on with its leases when it is continued.
    pauseProcess(site, DHCP_SERVER);
    await tryGuest(site);
  },
  heal(site) {
    resumeProcess(site, DHCP_SERVER);
    return Promise.resolve();
  },
};
