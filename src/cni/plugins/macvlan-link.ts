import { setTimeout as pause } from 'node:timers/promises';
import { ok, type Result } from '../../base/result.ts';
import { isSysError } from '../../base/sys-error.ts';
import type { UplinkSource, UplinkState } from '../../node/ports.ts';
import { findUplink, type UplinkProblem } from '../../node/uplink.ts';
import type { AddCall, PluginServices } from '../context.ts';
import type { Pod, PodLink } from '../ports.ts';
import { CniError } from '../spec/errors.ts';
import { kernelError } from './failures.ts';
import type { Ipam } from './ipam.ts';
import { macInUse } from './mac-in-use.ts';
import type { MacvlanConf } from './macvlan-conf.ts';

/**
 * A namespace that is gone is taken down by the kernel when it comes to it (cleanup_net in net/core/net_namespace.c),
 * and until then its macvlans hold their MAC addresses: on a busy machine for up to a quarter of a second in forty trials.
 */
const MAC_PATIENCE_MS = 2000;
const TRY_EVERY_MS = 20;

/**
 * The uplink that the link stands on. One that is down will do unless addresses are asked for through it: there is
 * nothing to wait for, and the link comes up with its master.
 */
export async function usableUplink(
  source: UplinkSource,
  { master }: MacvlanConf,
  { asksTheLan }: Ipam,
): Promise<Result<UplinkState, UplinkProblem>> {
  const found = await findUplink(source, master);
  return found.ok || asksTheLan || found.error.kind === 'missing' ? found : ok(found.error.link);
}

type UplinkParts = { readonly conf: MacvlanConf; readonly ipam: Ipam; readonly pod: UplinkSource };

/** The same for an ADD. Throws CniError 100 or 101. */
export async function uplinkFor(
  { host, log }: Pick<PluginServices, 'host' | 'log'>,
  { env }: AddCall,
  { conf, ipam, pod }: UplinkParts,
): Promise<UplinkState> {
  const uplink = await usableUplink(conf.linkInContainer ? pod : host, conf, ipam);
  if (!uplink.ok) {
    throw new CniError(uplink.error.kind === 'missing' ? 'uplink-missing' : 'uplink-down', uplink.error.text);
  }
  const { name, up } = uplink.value;
  if (!up)
    log.warn(
      { containerId: env.containerId, ifname: env.ifname, uplink: name },
      'a pod is attached to a master that is down: it is on the LAN once that is up',
    );
  return uplink.value;
}

type LinkParts = { readonly conf: MacvlanConf; readonly pod: Pod; readonly up: boolean };

/**
 * One message makes the link where it belongs: final name, MAC, MTU, and up if asked for. A MAC address that is in use
 * is waited for as long as it may be that of a pod that is gone. Throws CniError, and what aborts the signal.
 */
export async function makeLink(
  services: PluginServices,
  call: AddCall,
  { conf, pod, up }: LinkParts,
  uplink: UplinkState,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + MAC_PATIENCE_MS;
  for (;;) {
    try {
      await pod.createMacvlan({
        name: call.env.ifname,
        masterIndex: uplink.index,
        masterIn: conf.linkInContainer ? 'pod' : 'host',
        mode: conf.mode,
        mac: conf.mac,
        mtu: conf.mtu,
        bcQueueLen: conf.bcQueueLen,
        up,
      });
      return;
    } catch (error) {
      if (conf.mac === undefined || !isSysError(error, 'EADDRINUSE')) throw linkError(error, call, uplink);
      if (performance.now() > until) {
        const place = { uplink, isOfPod: conf.linkInContainer };
        throw await macInUse(services, conf.mac, place);
      }
    }
    await pause(TRY_EVERY_MS);
    signal.throwIfAborted();
  }
}

/** The new link as it is. Throws CniError 107 when it is gone again. */
export function madeLink(pod: Pod, ifname: string, uplink: UplinkState): PodLink {
  const link = pod.peek(ifname);
  if (link === undefined) throw new CniError('link-failed', `${ifname} was made and is gone again`);
  // The kernel needs a moment to see that the carrier of a new link is that of its master.
  return { ...link, kind: 'macvlan', lowerUp: uplink.lowerUp };
}

/**
 * Of two interfaces on one LAN each would answer ARP for the other's address, and the probes of the other would find a
 * conflict. That a link answers for itself alone comes with its addresses; beside one that has a lease it is switched on
 * after that.
 */
export async function switchOnBeside(pod: Pod, { index }: { readonly index: number }): Promise<void> {
  await pod.configure(index, { addresses: [], routes: [], arpIgnore: true });
  await pod.setUp(index);
}

function linkError(error: unknown, call: AddCall, uplink: UplinkState): CniError {
  const { ifname } = call.env;
  if (isSysError(error, 'EEXIST')) {
    return new CniError('interface-exists', `CNI_IFNAME: the container already has an interface ${ifname}`);
  }
  return kernelError('link-failed', `macvlan ${ifname} on ${uplink.name} cannot be made`, error);
}
