import {
  checkNoGuest,
  DHCP_SERVER,
  pauseProcess,
  resumeProcess,
  type BreakSite,
  type LabBreak,
} from './break.ts';
import { sayRefusal, tryGuest } from './try-guest.ts';

async function showGuest(site: BreakSite): Promise<void> {
  const begun = performance.now();
  const refusal = await tryGuest(site);
  const seconds = Math.round((performance.now() - begun) / 1000);
  if (refusal === undefined) {
    site.say('a new pod got an address all the same');
    return;
  }
  site.say(`a new pod does not start; after ${seconds} s (60 in earnest) its runtime is told:`);
  sayRefusal(site, refusal);
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
    await showGuest(site);
  },
  heal(site) {
    resumeProcess(site, DHCP_SERVER);
    return Promise.resolve();
  },
};
