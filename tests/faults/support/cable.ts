import type { HomeLan } from '../../../src/lab/home-lan.ts';
import { BRIDGE } from '../../../src/lab/home-lan.ts';
import { UPLINK } from '../../../src/lab/host.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { linksOf } from '../../plugins/support/kernel-view.ts';

async function untilCarrier(lan: HomeLan, there: boolean): Promise<void> {
  await waitFor(`the carrier to be ${there ? 'there' : 'gone'}`, async () => {
    const flags = (await linksOf(lan.node.namespace)).get(UPLINK)?.flags ?? [];
    return flags.includes('LOWER_UP') === there;
  });
}

/** As if somebody pulled the cable out at the router: the node's uplink has no carrier. */
export async function pullCable(lan: HomeLan): Promise<void> {
  await lan.router.ip('link', 'set', lan.node.port, 'down');
  await untilCarrier(lan, false);
}

export async function plugCable(lan: HomeLan): Promise<void> {
  await lan.router.ip('link', 'set', lan.node.port, 'up');
  await untilCarrier(lan, true);
}

/** `ip link set eth0 down` in the node; its address stays. */
export async function uplinkDown(lan: HomeLan): Promise<void> {
  await lan.node.namespace.ip('link', 'set', UPLINK, 'down');
  await untilCarrier(lan, false);
}

export async function uplinkUp(lan: HomeLan): Promise<void> {
  await lan.node.namespace.ip('link', 'set', UPLINK, 'up');
  await untilCarrier(lan, true);
}

/** The network card goes away, and with it all macvlans on it. */
export async function removeUplink(lan: HomeLan): Promise<void> {
  await lan.node.namespace.ip('link', 'del', UPLINK);
}

/** Another card of the same name, with another index; `address` is the node's own, as 192.168.2.125/24. */
export async function makeUplinkAgain(lan: HomeLan, address: string): Promise<void> {
  const { node, router } = lan;
  const peer = ['peer', 'name', UPLINK, 'netns', node.namespace.name];
  await router.ip('link', 'add', node.port, 'type', 'veth', ...peer);
  await router.ip('link', 'set', node.port, 'master', BRIDGE, 'up');
  await node.namespace.ip('link', 'set', UPLINK, 'up');
  await node.namespace.ip('addr', 'add', address, 'dev', UPLINK);
  await untilCarrier(lan, true);
}
