import assert from 'node:assert/strict';
import type { Result } from '../../../src/base/result.ts';
import { seconds } from '../../../src/base/time.ts';
import { type Failure, LeaseManager } from '../../../src/lease/manager.ts';
import type { LinkMaker } from '../../../src/lease/ports.ts';
import type { LeaseKey, LeaseRecord } from '../../../src/lease/record.ts';
import type { AcquireRequest } from '../../../src/lease/request.ts';
import { readStored } from '../../../src/lease/stored.ts';
import type { Lease4 } from '../../../src/protocol/dhcp4/lease.ts';
import type { PodModel } from './pods.ts';
import { FakeWorld, UPLINK } from './world.ts';

export function keyOf(pod: PodModel): LeaseKey {
  return { containerId: pod.path.slice('/run/netns/'.length), network: 'lan', ifname: 'eth0' };
}

export type Overrides = Partial<Omit<AcquireRequest, 'client'>> & {
  readonly client?: Partial<AcquireRequest['client']>;
};

/** What an ADD asks for. The name of the pod is its identity, so that a server knows it again. */
export function requestFor(world: FakeWorld, pod: PodModel, overrides: Overrides = {}): AcquireRequest {
  const client: AcquireRequest['client'] = {
    clientId: Buffer.from(`\0${pod.path}`).toString('hex'),
    requestedAddress: undefined,
    parameterRequest: [1, 3, 6],
    send: {},
    servers: [],
    relays: [],
    ipv6Only: false,
    rapidCommit: false,
    broadcast: 'auto',
    ...overrides.client,
  };
  return {
    key: keyOf(pod),
    netnsPath: pod.path,
    pod: world.openPod(pod.path),
    link: { ...pod.link },
    owned: true,
    uplinkIndex: UPLINK,
    lan: { index: UPLINK, name: 'uplink0' },
    apply: { metric: undefined, routes: 'all', table: undefined, mtu: true },
    conflictCheck: 'off',
    ...overrides,
    client,
  };
}

export function managerOf(world: FakeWorld, maker?: LinkMaker): LeaseManager {
  return new LeaseManager(world, { deadline: seconds(60), carrierWait: seconds(10) }, maker);
}

/** Acquires, runs until it is settled, and does what the caller of a lease does then: configures the pod. */
export async function attach(
  world: FakeWorld,
  manager: LeaseManager,
  pod: PodModel,
  overrides: Overrides = {},
  signal = new AbortController().signal,
): Promise<Result<Lease4 | undefined, Failure>> {
  const request = requestFor(world, pod, overrides);
  const lease = await world.time.until(manager.acquire(request, signal));
  if (lease.ok && lease.value !== undefined) {
    const routes = lease.value.routes.map(({ dst, router }) => ({ dst, gateway: router, metric: undefined }));
    await request.pod.configure(request.link.index, { addresses: [lease.value.address], routes });
  }
  request.pod.close();
  return lease;
}

export async function attached(
  world: FakeWorld,
  manager: LeaseManager,
  pod: PodModel,
  overrides: Overrides = {},
): Promise<Lease4> {
  const lease = await attach(world, manager, pod, overrides);
  assert.ok(lease.ok && lease.value !== undefined, lease.ok ? 'no address' : JSON.stringify(lease.error));
  return lease.value;
}

export type Running = { readonly world: FakeWorld; readonly manager: LeaseManager; readonly pod: PodModel };

/** A pod with a lease under a manager that looks after it; what happened until then is forgotten. */
export async function running(): Promise<Running> {
  const world = new FakeWorld();
  const manager = managerOf(world);
  manager.watch();
  const pod = world.addPod('a');
  await attached(world, manager, pod);
  world.journal.length = 0;
  pod.history.length = 0;
  return { world, manager, pod };
}

/** What is on disk, as a daemon that starts finds it. */
export function stored(world: FakeWorld): readonly LeaseRecord[] {
  return [...world.files].map(([name, text]) => {
    const record = readStored(name, text, (key) => key);
    assert.ok(record.ok, record.ok ? '' : record.error);
    return record.value;
  });
}

/** Nothing is left of a pod's attachment: not here, not on disk, not at the server, not in the kernel. */
export function assertNothingHeld(world: FakeWorld, manager: LeaseManager): void {
  assert.deepEqual(
    {
      leases: manager.size,
      files: [...world.files.keys()],
      server: world.server.held,
      addresses: [...world.pods.values()].flatMap(({ addresses }) => addresses),
      sockets: [...world.pods.values()].flatMap(({ sockets, arpPorts, held }) => [
        ...sockets,
        ...arpPorts,
        ...held,
      ]),
      handles: [...world.pods.values()].filter(({ openHandles }) => openHandles !== 0),
    },
    { leases: 0, files: [], server: [], addresses: [], sockets: [], handles: [] },
  );
}
