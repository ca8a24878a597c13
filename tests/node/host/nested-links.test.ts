import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { mac, type Mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { NestedLinks, type PodLink, type PodOnUplink } from '../../../src/node/host/nested-links.ts';
import { VirtualTime } from '../../lease/support/time.ts';

const UPLINK = 2;
const ROUTER = ipv4('192.168.2.1');
const ROUTER_MAC = mac('96:00:00:00:00:01');
const SHIM_MAC = mac('02:00:00:00:00:51');
const ROUND_MS = 20_000;

/** An uplink with pods, and what each has in its namespace. */
class Lan {
  readonly time = new VirtualTime('boot');
  readonly pods = new Map<string, { readonly pod: PodOnUplink; links: PodLink[] }>();
  readonly log: { readonly level: string; readonly fields: object }[] = [];
  /** Pods whose interfaces were read. */
  readonly read: string[] = [];
  children: Mac[] = [SHIM_MAC];
  ended: Omit<PodOnUplink, 'netns'>[] = [];
  refuse: SysError | undefined;
  readonly nested: NestedLinks;

  constructor() {
    const say = (level: string) => (fields: object) => void this.log.push({ level, fields });
    this.nested = new NestedLinks({
      clock: { now: () => this.time.now(), bootId: 'boot' },
      timers: this.time,
      log: { info: say('info'), warn: say('warn'), error: say('error') },
      count: () => undefined,
      pods: () => [...this.pods.values()].map(({ pod }) => pod),
      ended: () => this.ended,
      kernel: {
        peek: () => ({ index: UPLINK, name: 'eth0', mtu: 1500, up: true, lowerUp: true }),
        links: () =>
          Promise.resolve([{ index: 3, name: 'lh0', mtu: 1500, up: true, lowerUp: true, mac: SHIM_MAC }]),
        neighbours: () =>
          Promise.resolve([{ index: UPLINK, address: ROUTER, mac: ROUTER_MAC, permanent: false }]),
        childMacs: () =>
          this.refuse === undefined ? Promise.resolve([...this.children]) : Promise.reject(this.refuse),
        podLinks: ({ path }) => {
          this.read.push(path);
          return Promise.resolve(this.pods.get(path)?.links ?? []);
        },
      },
    });
  }

  add(name: string, at: number): void {
    const path = `/run/netns/${name}`;
    const own = mac(`02:00:00:00:01:${String(at).padStart(2, '0')}`);
    const key = { containerId: name, network: 'lan', ifname: 'eth0' };
    this.pods.set(path, {
      pod: { key, netns: { path, inode: path }, mac: own, uplink: 'eth0' },
      links: [{ name: 'eth0', mac: own, macvlanMode: 'bridge' }],
    });
    this.children.push(own);
  }

  /** What whoever may administer a pod's network does. */
  nest(name: string, link: PodLink): void {
    this.pods.get(`/run/netns/${name}`)?.links.push(link);
    if (link.mac !== undefined) this.children.push(link.mac);
  }
}

function lanWithPods(): Lan {
  const lan = new Lan();
  lan.add('good', 1);
  lan.add('bad', 2);
  return lan;
}

test('pods as they were attached are read by nobody', async () => {
  const lan = lanWithPods();
  await lan.nested.look();
  assert.deepEqual([lan.nested.found, lan.read, lan.log], [[], [], []]);
});

test('an interface that a pod made for itself is named once, with its mode', async () => {
  const lan = lanWithPods();
  const own = mac('02:00:00:00:00:99');
  lan.nest('bad', { name: 'thief', mac: own, macvlanMode: 'source' });
  await lan.nested.look();
  const link = {
    uplink: 'eth0',
    mac: own,
    pod: 'bad/lan/eth0',
    ifname: 'thief',
    macvlanMode: 'source',
    ended: false,
    takes: undefined,
  };
  assert.deepEqual(lan.nested.found, [link]);
  await lan.nested.look();
  assert.deepEqual(
    lan.log.map(({ level }) => level),
    ['info'],
  );
  assert.equal(lan.read.length, 2, 'what is known is not searched for again');
});

test('who takes the MAC address of the router is an error, by a nested interface or by its own', async () => {
  const lan = lanWithPods();
  lan.nest('bad', { name: 'router', mac: ROUTER_MAC, macvlanMode: 'bridge' });
  await lan.nested.look();
  assert.equal(lan.nested.found[0]?.takes, ROUTER);
  const fields = {
    uplink: 'eth0',
    mac: ROUTER_MAC,
    pod: 'bad/lan/eth0',
    ifname: 'router',
    macvlanMode: 'bridge',
  };
  assert.deepEqual(lan.log, [{ level: 'error', fields: { ...fields, address: ROUTER } }]);
});

test('it is said as well where it is in no pod of ours; a macvlan of somebody else is not', async () => {
  const lan = lanWithPods();
  lan.children.push(mac('02:00:00:00:00:77'));
  await lan.nested.look();
  assert.deepEqual(lan.nested.found, []);
  lan.children.push(ROUTER_MAC);
  await lan.nested.look();
  assert.deepEqual(
    lan.nested.found.map(({ pod, takes }) => [pod, takes]),
    [[undefined, ROUTER]],
  );
});

test('the interface of a pod that is gone is named once it is known to live on, also without any other pod', async () => {
  const lan = new Lan();
  const own = mac('02:00:00:00:01:09');
  lan.children.push(own);
  await lan.nested.look();
  assert.deepEqual(lan.nested.found, []);
  const key = { containerId: 'late', network: 'lan', ifname: 'eth0' };
  lan.ended = [{ key, mac: own, uplink: 'eth0' }];
  await lan.nested.look();
  await lan.nested.look();
  assert.deepEqual(
    lan.nested.found.map(({ pod, ifname, ended }) => [pod, ifname, ended]),
    [['late/lan/eth0', 'eth0', true]],
  );
  assert.equal(lan.log.length, 1);
  lan.ended = [];
  lan.children = [SHIM_MAC];
  await lan.nested.look();
  assert.deepEqual(lan.nested.found, []);
});

test('it is looked at every 20 s; what is gone is forgotten, and what cannot be looked at breaks nothing', async () => {
  const lan = lanWithPods();
  lan.nested.start();
  lan.nest('bad', { name: 'thief', mac: ROUTER_MAC });
  await lan.time.run(ROUND_MS);
  assert.equal(lan.nested.found.length, 1);
  lan.refuse = new SysError('RTM_GETNEIGH', 'EOPNOTSUPP');
  await lan.time.run(ROUND_MS);
  assert.equal(lan.nested.found.length, 1);
  lan.refuse = undefined;
  lan.children.pop();
  await lan.time.run(ROUND_MS);
  assert.equal(lan.nested.found.length, 0);
  lan.nested.close();
});

test('thousands of them on one uplink: the first ones are named', async () => {
  const lan = lanWithPods();
  for (let i = 0; i < 2000; i++) {
    const hex = i.toString(16).padStart(4, '0');
    lan.nest('bad', { name: `n${i}`, mac: mac(`02:00:00:01:${hex.slice(0, 2)}:${hex.slice(2)}`) });
  }
  await lan.nested.look();
  assert.equal(lan.nested.found.length, 16);
});
