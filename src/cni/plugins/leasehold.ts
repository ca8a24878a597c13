import { isSysError } from '../../base/sys-error.ts';
import { NotAdmitted } from '../../node/host/admission.ts';
import { chooseMaster } from '../../node/uplink.ts';
import type { AttachRequest } from '../../node/host/host-side.ts';
import type { AttachmentKey } from '../../node/host/record.ts';
import { keyText } from '../../lease/record.ts';
import type { AddCall, Call, CheckCall, DelCall, NodeCall, Plugin, PluginServices } from '../context.ts';
import { refuseOwnNetwork } from '../leasehold/own-network.ts';
import { chooseUplink, masterComes } from '../leasehold/master.ts';
import { type LeaseholdConf, readLeaseholdConf, toMacvlanConf } from '../leasehold/conf.ts';
import type { Pod, PodLink } from '../ports.ts';
import { readPrevResult } from '../spec/conf.ts';
import { CniError } from '../spec/errors.ts';
import type { CniResult } from '../spec/result.ts';
import { chainedPlace, missingPrevResult } from './chained.ts';
import { DhcpIpam } from './dhcp-ipam.ts';
import { releaseStale } from './gc.ts';
import { leaseKey, operationKey, withMac } from './ipam.ts';
import { attachMacvlan, checkMacvlan, detachMacvlan } from './macvlan.ts';
import { kernelError } from './failures.ts';
import { openPod } from './pod.ts';
import { assertUplink, namingThatOfPods } from './uplink-status.ts';

/**
 * `leasehold`: the one plugin. A macvlan with its address from the LAN's DHCP server, and the node's part: pods, node
 * and services reach each other. With `chained` only the node's part, for an interface that another plugin made.
 */
export function leaseholdPlugin(services: PluginServices): Plugin {
  return {
    add: (call) =>
      services.operations.add(operationKey(leaseKey(call)), call.env.netns, call.hangUp, async (signal) => {
        const conf = readLeaseholdConf(call.conf);
        return conf.chained ? addChained(services, call, conf) : add(services, call, conf, signal);
      }),
    del: (call) => services.operations.del(operationKey(leaseKey(call)), () => del(services, call)),
    check: (call) => check(services, call),
    gc: (call) => gc(services, call),
    status: (call) => status(services, call),
  };
}

async function add(
  services: PluginServices,
  call: AddCall,
  conf: LeaseholdConf,
  signal: AbortSignal,
): Promise<CniResult> {
  const uplink = await masterComes(services.host, conf.master, signal);
  const inner = { ...call, conf: toMacvlanConf(call.conf, conf, uplink.name) };
  const isWithNode = needsNode(conf);
  let begun: AttachRequest | undefined;
  try {
    const result = await attachMacvlan(services, inner, signal, (pod, link) => {
      if (!isWithNode) return;
      begun = requestOf(call, conf, { pod, link, uplink: uplink.name });
      services.hostSide.begin(begun, link.index, pod.side());
    });
    if (!isWithNode) return result;
    // A repetition: the pod runs already, and one that fails takes nothing of it away.
    if (begun === undefined) await connect(services, call, requestAgain(services, call, conf, uplink.name));
    else await withNode(services, call, { result, inner, request: begun }, signal);
    return result;
  } finally {
    await services.hostSide.ended(leaseKey(call));
  }
}

type Lan = { readonly result: CniResult; readonly inner: AddCall; readonly request: AttachRequest };

/** The node's part of a pod that has its address. When it fails, the address goes back. */
async function withNode(
  services: PluginServices,
  call: AddCall,
  { result, inner, request }: Lan,
  signal: AbortSignal,
): Promise<void> {
  try {
    refuseOwnNetwork(request.services, result);
    await connect(services, call, request);
    signal.throwIfAborted();
  } catch (error) {
    await services.hostSide.detach(leaseKey(call));
    await detachMacvlan(services, { ...inner, env: { ...call.env, command: 'DEL' } });
    throw error;
  }
}

/** Whether anything is to be done on the node, or in the pod on its behalf. */
function needsNode({ hostAccess, lastHop }: LeaseholdConf): boolean {
  return hostAccess || lastHop;
}

/** For a container that has its link already. */
function requestAgain(
  services: PluginServices,
  call: AddCall | CheckCall,
  conf: LeaseholdConf,
  uplink: string,
): AttachRequest {
  const pod = openPod(services, call.env);
  try {
    const link = pod.peek(call.env.ifname);
    if (link === undefined) throw new CniError('link-failed', `${call.env.ifname} is gone`);
    return requestOf(call, conf, { pod, link, uplink });
  } finally {
    pod.close();
  }
}

type Place = { readonly pod: Pod; readonly link: PodLink; readonly uplink: string };

async function connect(
  services: PluginServices,
  call: AddCall | CheckCall,
  request: AttachRequest,
): Promise<void> {
  try {
    await services.hostSide.attach(request);
  } catch (error) {
    if (!isSysError(error)) throw error;
    const { ifname } = call.env;
    if (error instanceof NotAdmitted) throw notAdmitted(error, request, ifname);
    throw kernelError('host-side-failed', `${ifname} has its address, but not the node's side`, error);
  }
}

/** What was asked for would take the node off its LAN. */
function notAdmitted({ field, reason }: NotAdmitted, { addresses }: AttachRequest, ifname: string): CniError {
  if (field === 'services') return new CniError('invalid-config', `services: ${reason}`);
  const kind = addresses === 'lease' ? 'host-side-failed' : 'not-chainable';
  return new CniError(kind, `the node must not send what is for ${ifname} to it: ${reason}`);
}

function requestOf(
  call: AddCall | CheckCall,
  conf: LeaseholdConf,
  { pod, link, uplink }: Place,
): AttachRequest {
  return {
    key: leaseKey(call),
    netns: { path: call.env.netns, inode: pod.inode },
    mac: withMac(link).mac,
    uplink,
    hostAccess: conf.hostAccess,
    services: servicesOf(conf),
    lastHop: conf.lastHop,
    addresses: 'lease',
  };
}

/** Services answer through the node: who has no way to the node has none to them, and the first interface has it. */
function servicesOf({ hostAccess, services, routes }: LeaseholdConf): LeaseholdConf['services'] {
  const isSecond = routes.use !== 'all' || routes.table !== undefined;
  return hostAccess && !(isSecond && services === 'auto') ? services : 'off';
}

async function addChained(
  services: PluginServices,
  call: AddCall | CheckCall,
  conf: LeaseholdConf,
): Promise<CniResult> {
  const prev = readPrevResult(call.conf);
  if (!prev.ok) throw prev.error;
  if (prev.value === undefined) throw missingPrevResult();
  const pod = openPod(services, call.env);
  try {
    const place = await chainedPlace(pod, call.env.ifname, prev.value);
    const known = services.leases.get(leaseKey(call));
    const isLeased = known?.lease !== undefined && known.record.netns.inode === pod.inode;
    const addresses = isLeased ? 'lease' : place.addresses;
    const request = { ...requestOf(call, conf, { pod, ...place }), addresses } as const;
    refuseOwnNetwork(request.services, prev.value);
    await connect(services, call, request);
  } finally {
    pod.close();
  }
  return prev.value;
}

/** Of the configuration only what DEL cannot do without: one that has become unreadable must not keep a pod. */
function delCall<C extends Call<unknown>>(call: C): C {
  return { ...call, conf: { ...call.conf, ipamType: 'dhcp', ipam: { type: 'dhcp' } } };
}

async function del(services: PluginServices, call: DelCall): Promise<void> {
  // While the address is there: nothing of the node is sent to an address that is somebody else's by then.
  const { inPod } = await services.hostSide.depart(leaseKey(call));
  if (call.conf.raw['chained'] !== true) await detachMacvlan(services, delCall(call));
  await inPod;
}

async function check(services: PluginServices, call: CheckCall): Promise<void> {
  const conf = readLeaseholdConf(call.conf);
  await services.operations.quiet(operationKey(leaseKey(call)));
  // First: a lease of a state folder that was lost is taken up, and the node's part needs its address.
  if (!conf.chained) {
    const uplink = await chooseUplink(services.host, conf.master);
    await checkMacvlan(services, { ...call, conf: toMacvlanConf(call.conf, conf, uplink.name) });
  }
  if (!needsNode(conf)) return;
  if (!services.hostSide.has(leaseKey(call))) await connectLost(services, call, conf);
  await checkNode(services, call);
}

/** The node's part of a container that runs, whose record was lost with the state folder: as for an ADD. */
async function connectLost(services: PluginServices, call: CheckCall, conf: LeaseholdConf): Promise<void> {
  await services.operations.alone(operationKey(leaseKey(call)), async () => {
    if (services.hostSide.has(leaseKey(call))) return;
    if (conf.chained) {
      await addChained(services, call, conf);
      return;
    }
    const { name } = await chooseUplink(services.host, conf.master);
    await connect(services, call, requestAgain(services, call, conf, name));
  });
}

/** The node's part, in the pod and on the node itself. */
async function checkNode({ hostSide }: PluginServices, call: CheckCall): Promise<void> {
  let problems: readonly string[];
  try {
    problems = await hostSide.problemsOf(leaseKey(call));
  } catch (error) {
    if (!isSysError(error)) throw error;
    throw kernelError('check-mismatch', "the node's side cannot be looked at", error);
  }
  if (problems.length > 0) throw new CniError('check-mismatch', `${call.env.ifname}: ${problems.join('; ')}`);
}

async function gc(services: PluginServices, call: NodeCall): Promise<void> {
  const { validAttachments, name, raw } = call.conf;
  if (validAttachments === undefined) return;
  const valid = new Set(
    validAttachments.map(({ containerId, ifname }) => keyText({ containerId, network: name, ifname })),
  );
  const stale = services.hostSide.attachmentsOf(name).filter(({ key }) => !valid.has(keyText(key)));
  for (const { key } of stale) await detachAlone(services, key);
  if (raw['chained'] !== true) await releaseStale(services, call, 'macvlan');
}

async function detachAlone(services: PluginServices, key: AttachmentKey): Promise<void> {
  await services.operations.del(operationKey(key), () => services.hostSide.detach(key));
}

async function status(services: PluginServices, call: NodeCall): Promise<void> {
  const conf = readLeaseholdConf(call.conf);
  const ipam = conf.chained ? undefined : new DhcpIpam(services, true);
  // First: code 51 says more than 50.
  if (ipam !== undefined) {
    const running = services.hostSide.attachmentsOf(call.conf.name);
    const uplink = await chooseMaster(services.host, conf.master);
    assertUplink(await namingThatOfPods(uplink, services.host, running), ipam);
  }
  const unfit = needsNode(conf) ? services.unfit?.() : undefined;
  if (unfit !== undefined) throw new CniError('not-available', unfit);
  await ipam?.status();
}
