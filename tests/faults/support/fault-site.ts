import { readFile } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import type { JsonObject } from '../../../src/base/json.ts';
import type { KeaOptions } from '../../../src/lab/server-kea.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { addressesOf } from '../../plugins/support/kernel-view.ts';
import { macvlan, networkOf, Site, type Attached, type SiteOptions } from '../../plugins/support/site.ts';

/** For conditions that wait for leases of seconds, on a machine that does other things too. */
export const PATIENCE = { deadlineMs: 60_000, everyMs: 50 };

/** A home of one test. */
export async function siteFor(t: Pick<TestContext, 'after'>, options: SiteOptions = {}): Promise<Site> {
  const site = await Site.open(options);
  t.after(async () => await site[Symbol.asyncDispose]());
  return site;
}

/** Kea with leases of seconds, which dnsmasq refuses. */
export function keaOf(lease: number, t1: number, t2: number, more: JsonObject = {}): KeaOptions {
  const timers = { 'renew-timer': t1, 'rebind-timer': t2, 'calculate-tee-times': false };
  return { kind: 'kea', leaseSeconds: lease, dhcp4: { ...timers, ...more } };
}

/** ADD of a new pod by macvlan and DHCP. */
export async function addPod(site: Site, ipam: JsonObject = {}): Promise<Attached> {
  return await site.add(networkOf([macvlan({}, ipam)], { cniVersion: '1.1.0' }));
}

/** The scripted server does what the host name says. */
export function asking(behaviour: string): JsonObject {
  return { provide: [{ option: 'host-name', value: behaviour }] };
}

/** The daemon's word on the lease of one pod. */
export async function leaseView(site: Site, { attachment }: Attached): Promise<JsonObject | undefined> {
  const views = await site.daemonLeases();
  return views.find(({ containerId }) => containerId === attachment.containerId);
}

export async function untilState(site: Site, pod: Attached, state: string): Promise<void> {
  await waitFor(`the lease to be ${state}`, async () => (await leaseView(site, pod))?.['state'] === state, {
    ...PATIENCE,
    describe: async () => JSON.stringify(await leaseView(site, pod)),
  });
}

/** Waits until the counter is at least that, and gives it. */
export async function untilCounted(site: Site, name: string, least = 1): Promise<number> {
  return await waitFor(
    `counter ${name} to reach ${least}`,
    async () => {
      const count = await site.counter(name);
      return count >= least && count;
    },
    PATIENCE,
  );
}

/** The pod's only address, once there is one that `fits`. */
export async function untilAddress(pod: Attached, fits: (address: string) => boolean): Promise<string> {
  return await waitFor(
    'the pod to have another address',
    async () => {
      const [address, ...others] = await addressesOf(pod.pod.namespace);
      return address !== undefined && others.length === 0 && fits(address) && address;
    },
    { ...PATIENCE, describe: async () => (await addressesOf(pod.pod.namespace)).join(' ') },
  );
}

export async function daemonLog(site: Site): Promise<string> {
  return await readFile(site.daemon.logFile, 'utf8');
}

/** What the daemon said when it saw another host with that address; empty: nothing yet. */
export async function conflictLine(site: Site, address: string): Promise<string> {
  const log = (await daemonLog(site)).split('\n');
  const said = `"address":"${address}"`;
  return log.find((line) => line.includes('another host uses the address') && line.includes(said)) ?? '';
}
