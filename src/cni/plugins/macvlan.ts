import { IPV4_ANY } from '../../base/ipv4.ts';
import { isSysError } from '../../base/sys-error.ts';
import type { InterfaceConfiguration, LinkState } from '../../lease/ports.ts';
import { keyText } from '../../lease/record.ts';
import type { UplinkSource } from '../../node/ports.ts';
import { findUplink } from '../../node/uplink.ts';
import type { AddCall, CheckCall, DelCall, NodeCall, Plugin, PluginServices } from '../context.ts';
import type { Pod, PodLink } from '../ports.ts';
import { CniError } from '../spec/errors.ts';
import { type CniResult, withoutUndefined } from '../spec/result.ts';
import { kernelError } from './failures.ts';
import { isLinkOf, ownLinkIn, releaseStale, removeLink } from './gc.ts';
import { ipamOf } from './ipam-of.ts';
import { assertUplink } from './uplink-status.ts';
import { type Ipam, type IpamTarget, leaseKey, operationKey, withMac } from './ipam.ts';
import { checkAttachment } from './macvlan-check.ts';
import { type MacvlanConf, readMacvlanConf } from './macvlan-conf.ts';
import { madeLink, makeLink, switchOnBeside, uplinkFor } from './macvlan-link.ts';
import { podMacSource } from './pod-mac-source.ts';
import { openPod } from './pod.ts';

/** `macvlan`: a link of its own on the uplink, in the pod's namespace, with its address by any IPAM. */
export function macvlanPlugin(services: PluginServices): Plugin {
  return {
    add: (call) =>
      services.operations.add(operationKey(leaseKey(call)), call.env.netns, call.hangUp, (signal) =>
        attachMacvlan(services, call, signal),
      ),
    del: (call) => services.operations.del(operationKey(leaseKey(call)), () => detachMacvlan(services, call)),
    check: (call) => checkMacvlan(services, call),
    gc: async (call) => {
      await releaseStale(services, call, 'macvlan');
      await ipamOf(services, call.conf).gc(call);
    },
    status: (call) => status(services, call),
  };
}

/** What may be begun as soon as there is a link: the address takes longer. */
type LinkMade = (pod: Pod, link: PodLink) => void;

/** The ADD; nothing else may be done for this attachment meanwhile. */
export async function attachMacvlan(
  services: PluginServices,
  call: AddCall,
  signal: AbortSignal,
  linkMade?: LinkMade,
): Promise<CniResult> {
  const conf = readMacvlanConf(call.conf, call.env.args, podMacSource(services, call));
  const ipam = ipamOf(services, call.conf);
  ipam.verify(call);
  const pod = openPod(services, call.env);
  try {
    return await add(services, call, { conf, ipam, pod, linkMade }, signal);
  } finally {
    pod.close();
  }
}

export async function checkMacvlan(services: PluginServices, call: CheckCall): Promise<void> {
  await services.operations.quiet(operationKey(leaseKey(call)));
  const pod = openPod(services, call.env);
  try {
    const managed = services.leases.get(leaseKey(call));
    await checkAttachment(call, pod, readMacvlanConf(call.conf, call.env.args), managed);
  } finally {
    pod.close();
  }
  await ipamOf(services, call.conf).check(call);
}

type AddParts = {
  readonly conf: MacvlanConf;
  readonly ipam: Ipam;
  readonly pod: Pod & UplinkSource;
  readonly linkMade?: LinkMade | undefined;
};

async function add(
  services: PluginServices,
  call: AddCall,
  parts: AddParts,
  signal: AbortSignal,
): Promise<CniResult> {
  const { conf, pod } = parts;
  const uplink = await uplinkFor(services, call, parts);
  if (conf.mtu !== undefined && conf.mtu > uplink.mtu) {
    throw new CniError(
      'mtu-too-large',
      `mtu: ${conf.mtu} is larger than the ${uplink.mtu} of ${uplink.name}`,
    );
  }
  const lan = conf.linkInContainer ? undefined : { index: uplink.index, name: uplink.name };
  // A link in the container stands on one of the container's own: if that goes, it is the container's business.
  const madeOf = lan && { master: lan.name, mode: conf.mode, mtu: conf.mtu, bcQueueLen: conf.bcQueueLen };
  const attach = (link: PodLink): Promise<CniResult> =>
    configure(
      call,
      parts,
      { pod, link: withMac(link), uplinkIndex: lan?.index, lan, owned: true, made: madeOf },
      signal,
    );
  const known = await attachedBefore(services, call, pod);
  // What an earlier ADD made belongs to a running pod: a repetition that fails takes nothing of it away.
  if (known !== undefined) return attach(known);
  const isAlone = !services.leases.isIn(pod.inode);
  await makeLink(services, call, { conf, pod, up: isAlone }, uplink, signal);
  let made: PodLink | undefined;
  try {
    made = madeLink(pod, call.env.ifname, uplink);
    if (!isAlone) made = await besideAnother(pod, made);
    parts.linkMade?.(pod, made);
    return await attach(made);
  } catch (error) {
    await undo(services, call, parts, made);
    throw error;
  }
}

async function besideAnother(pod: Pod, link: PodLink): Promise<PodLink> {
  try {
    await switchOnBeside(pod, link);
    return { ...link, up: true };
  } catch (error) {
    throw kernelError('link-failed', `${link.name} cannot be switched on`, error);
  }
}

/** The interface of an earlier ADD of this attachment, if it is still the one that was made then. */
async function attachedBefore(
  services: PluginServices,
  call: AddCall,
  pod: Pod,
): Promise<PodLink | undefined> {
  const known = services.leases.get(leaseKey(call))?.record;
  if (known === undefined) return undefined;
  const link = await pod.link(call.env.ifname);
  return link !== undefined && isLinkOf(known, pod, link) ? link : undefined;
}

async function configure(
  call: AddCall,
  { ipam, pod }: AddParts,
  target: IpamTarget,
  signal: AbortSignal,
): Promise<CniResult> {
  const { link } = target;
  const { result, mtu, validFor, addressing, announce } = await ipam.add(call, target, signal);
  signal.throwIfAborted();
  try {
    await pod.configure(link.index, {
      ...interfaceConfiguration(result),
      ...addressing,
      validFor,
      mtu,
      ...(announce === undefined ? { announce: link.mac } : { arpNotify: true }),
      arpIgnore: true,
    });
  } catch (error) {
    const kind = isSysError(error) && error.op.startsWith('RTM_NEWROUTE') ? 'route-failed' : 'address-failed';
    throw kernelError(kind, `${link.name} cannot be configured with what its IPAM gave`, error);
  }
  announce?.();
  signal.throwIfAborted();
  const { dns } = call.conf;
  return {
    interfaces: [
      withoutUndefined({ name: link.name, mac: link.mac, mtu: mtu ?? link.mtu, sandbox: call.env.netns }),
    ],
    ips: result.ips.map((ip) => ({ ...ip, interface: 0 })),
    routes: result.routes,
    dns: dns !== undefined && hasDns(dns) ? dns : result.dns,
  };
}

function hasDns(dns: NonNullable<AddCall['conf']['dns']>): boolean {
  return dns.domain !== undefined || dns.nameservers.length + dns.search.length + dns.options.length > 0;
}

/** A route without a gateway takes the one of the first address of its family, as every CNI main plugin does. */
function interfaceConfiguration(result: CniResult): InterfaceConfiguration {
  const gatewayFor = (dst: string): CniResult['ips'][number]['gateway'] =>
    result.ips.find((ip) => ip.gateway !== undefined && ip.gateway.includes(':') === dst.includes(':'))
      ?.gateway;
  return {
    addresses: result.ips.map((ip) => ip.address),
    routes: result.routes.map(({ dst, gw, priority, table }) => {
      const gateway = gw ?? gatewayFor(dst.address);
      return { dst, gateway: gateway === IPV4_ANY ? undefined : gateway, metric: priority, table };
    }),
  };
}

/** A failed ADD leaves nothing: the address goes back first, while the link can still carry the RELEASE. */
async function undo(
  services: PluginServices,
  call: AddCall,
  { ipam, pod }: AddParts,
  made: PodLink | undefined,
): Promise<void> {
  try {
    await ipam.del(call);
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    services.log.warn(
      { error: error.message, ...call.env },
      'IPAM could not take back what a failed ADD got',
    );
  }
  const { ifname } = call.env;
  try {
    const link = made ?? pod.peek(ifname);
    if (link !== undefined) await pod.deleteLink(link.index);
  } catch (error) {
    if (!isSysError(error)) throw error;
    services.log.warn({ error: error.message, ifname }, 'the link of a failed ADD could not be removed');
  }
}

/**
 * The DEL; nothing else may be done for this attachment meanwhile. IPAM first, while the link is there; a namespace that
 * is gone has taken the link with it. One that is another than that of the ADD has nothing of ours: paths are used again.
 */
export async function detachMacvlan(services: PluginServices, call: DelCall): Promise<void> {
  const { netns, ifname } = call.env;
  const known = services.leases.recordOf(leaseKey(call));
  await ipamOf(services, call.conf).del(call);
  if (netns === undefined) {
    if (known?.link.owned === true) await removeLink(services, known);
    return;
  }
  let pod: Pod;
  try {
    pod = openPod(services, { netns, netnsOverride: call.env.netnsOverride });
  } catch (error) {
    // Gone, or never there: nothing is left to remove.
    if (error instanceof CniError && (error.kind === 'unknown-container' || error.kind === 'not-a-namespace'))
      return;
    throw error;
  }
  try {
    if (known !== undefined && known.netns.inode !== pod.inode) return;
    const own = await ownLinkIn(pod, known);
    if (own !== undefined) await pod.deleteLink(own.index);
    // No other can have had its name.
    const link = own?.name === ifname ? undefined : pod.peek(ifname);
    if (link !== undefined && (await isStray(services, call, pod, link))) await pod.deleteLink(link.index);
  } catch (error) {
    throw kernelError('link-failed', `${ifname} cannot be removed`, error);
  } finally {
    pod.close();
  }
}

/** A macvlan that no attachment of this daemon owns, as a Go plugin or a lost state folder leaves it. */
async function isStray(services: PluginServices, call: DelCall, pod: Pod, link: LinkState): Promise<boolean> {
  if ((await pod.link(link.name))?.kind !== 'macvlan') return false;
  const own = keyText(leaseKey(call));
  return services.leases
    .list()
    .every(({ record }) => keyText(record.key) === own || !isLinkOf(record, pod, link));
}

async function status(services: PluginServices, call: NodeCall): Promise<void> {
  const conf = readMacvlanConf(call.conf, { values: new Map(), ignoreUnknown: true });
  const ipam = ipamOf(services, call.conf);
  if (conf.linkInContainer) {
    await ipam.status(call);
    return;
  }
  assertUplink(await findUplink(services.host, conf.master), ipam);
  await ipam.status(call);
}
