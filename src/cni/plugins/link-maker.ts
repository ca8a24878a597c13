import { SysError } from '../../base/sys-error.ts';
import type { LinkMaker, Remade } from '../../lease/ports.ts';
import type { LeaseIdentity } from '../../lease/record.ts';
import type { PluginServices } from '../context.ts';
import type { Pod, PodLink } from '../ports.ts';
import { CniError } from '../spec/errors.ts';
import { operationKey } from './ipam.ts';
import { switchOnBeside } from './macvlan-link.ts';

type Parts = Pick<PluginServices, 'operations' | 'openPod'> & {
  readonly host: { sight(index: number): unknown };
};

/** Makes links of `macvlan` again, as an ADD would, whose uplink was removed and has come back. */
export function linkMaker({ operations, openPod, host }: Parts): LinkMaker {
  return {
    alone: async (key, work) => {
      try {
        await operations.alone(operationKey(key), work);
      } catch (error) {
        // The daemon stops.
        if (!(error instanceof CniError)) throw error;
      }
    },
    isThere: (index) => host.sight(index) !== undefined,
    makeAgain: async (identity, uplink) => {
      const { netns } = identity;
      const pod = openPod(netns.path);
      try {
        if (pod.inode !== netns.inode) {
          throw new SysError(`open ${netns.path}`, 'ENOENT', 'the pod is gone, another namespace is there');
        }
        return await makeIn(pod, identity, uplink);
      } finally {
        pod.close();
      }
    },
  };
}

async function makeIn(
  pod: Pod,
  identity: LeaseIdentity,
  uplink: { readonly index: number; readonly mtu: number },
): Promise<Remade> {
  const { key, link } = identity;
  const { ifname } = key;
  if (link.made === undefined) return { kind: 'taken', why: 'it is not known what the link was made of' };
  const { mode, mtu, bcQueueLen } = link.made;
  const there = await pod.link(ifname);
  if (there !== undefined) {
    const isOurs = there.kind === 'macvlan' && there.mac === link.mac;
    if (!isOurs || (await pod.hostLan(there)).uplinkIndex !== uplink.index) {
      return { kind: 'taken', why: `the container has another interface ${ifname} now` };
    }
    await switchOnBeside(pod, there);
    return { kind: 'made', index: there.index };
  }
  await pod.createMacvlan({
    name: ifname,
    masterIndex: uplink.index,
    masterIn: 'host',
    mode,
    mac: link.mac,
    // The new device may carry less than the one before.
    mtu: mtu === undefined ? undefined : Math.min(mtu, uplink.mtu),
    bcQueueLen,
    up: false,
  });
  return await checked(pod, identity);
}

/** A link of mode passthru has the MAC address of its uplink, whatever is asked for: another one is another client. */
async function checked(pod: Pod, { key, link }: LeaseIdentity): Promise<Remade> {
  const { ifname } = key;
  const made: Pick<PodLink, 'index' | 'mac'> | undefined = pod.peek(ifname);
  if (made === undefined) throw new SysError(`look at ${ifname}`, 'ENODEV', 'it was made and is gone again');
  if (made.mac !== link.mac) {
    await pod.deleteLink(made.index);
    return { kind: 'taken', why: `${ifname} would have the MAC address ${made.mac ?? 'of nobody'}` };
  }
  await switchOnBeside(pod, made);
  return { kind: 'made', index: made.index };
}
