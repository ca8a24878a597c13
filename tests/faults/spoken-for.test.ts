import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addressesOf } from '../plugins/support/kernel-view.ts';
import { startScripted } from '../plugins/support/scripted.ts';
import {
  addressIn,
  type Attached,
  macIn,
  macvlan,
  networkOf,
  NODE_ADDRESS,
  type Site,
  useSite,
} from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { capture } from './support/capture.ts';
import {
  addPod,
  asking,
  daemonLog,
  leaseView,
  PATIENCE,
  siteFor,
  untilCounted,
} from './support/fault-site.ts';
import { addSquatter } from './support/squatter.ts';

const HELD = 'address-turned-down:held-on-this-node';
const SHIM = 'lh0';

/** With the node's part: routes and neighbours on the shim. */
async function addLedPod(site: Site, behaviour: string): Promise<Attached> {
  return await site.add(networkOf([macvlan({}, asking(behaviour)), { type: 'leasehold', chained: true }]));
}

describe('an address that is spoken for on this node', { skip: NEEDS_ROOT, concurrency: 8 }, () => {
  test('address-of-the-node: the server offers it, and every pod gets another one', async (t) => {
    const pool = { first: ipv4(NODE_ADDRESS), last: ipv4('192.168.2.128') };
    const site = await siteFor(t, { server: { kind: 'kea' }, pool });
    const pod = { args: { IgnoreUnknown: '1', K8S_POD_NAMESPACE: 'shop', K8S_POD_NAME: 'web-0' } };
    const leasehold = networkOf([{ type: 'leasehold', identity: 'pod' }]);
    const addresses: string[] = [];
    for (let life = 0; life < 2; life++) {
      const attached = await site.add(leasehold, pod);
      addresses.push(addressIn(attached.result));
      await site.del(attached);
    }
    for (let pods = 0; pods < 2; pods++) addresses.push(addressIn((await addPod(site)).result));
    assert.ok(!addresses.includes(NODE_ADDRESS), addresses.join());
    assert.ok((await site.counter(HELD)) > 0, 'Kea did offer it');
    assert.match(await daemonLog(site), /"holder":"the node itself"/);
    await site.node.run(['ping', '-c', '1', '-W', '2', '192.168.2.1']);
  });
});

describe('what a renewal says', { skip: NEEDS_ROOT, concurrency: 8 }, () => {
  const site = useSite({ server: { kind: 'none' } });
  before(async () => {
    await startScripted(site());
  });

  async function neighbour(address: string): Promise<string> {
    return await site().node.ip('neigh', 'show', address, 'dev', SHIM);
  }

  test('address-of-a-sibling: the way of the node to it never flips, and its lease goes on', async () => {
    const victim = await addLedPod(site(), 'good');
    const address = addressIn(victim.result);
    const attacker = await addLedPod(site(), `lease-4.renewal-address-${address.split('.').at(-1)}`);
    const way = await neighbour(address);
    assert.match(way, new RegExp(`${macIn(victim.result)} PERMANENT`));
    await untilCounted(site(), HELD);
    assert.equal(await neighbour(address), way);
    assert.ok(!(await addressesOf(attacker.pod.namespace)).includes(`${address}/24`));
    assert.equal((await leaseView(site(), victim))?.['state'], 'bound');
    const line = (await daemonLog(site())).split('\n').find((one) => one.includes('that this node uses'));
    for (const { attachment } of [victim, attacker]) {
      assert.match(line ?? '', new RegExp(attachment.containerId ?? 'nobody'));
    }
  });

  test('address-of-a-machine: it is asked for from the uplink, and the node leads nothing to the pod', async () => {
    await addSquatter(site().lan, ipv4('192.168.2.50'), 'laptop');
    const pod = await addLedPod(site(), 'lease-4.renewal-address-50');
    // Neither the pod's own probes nor the answers to them pass: it would see no conflict.
    for (const hook of ['ingress', 'egress']) {
      const chain = `{ type filter hook ${hook} device eth0 priority 0; ether type arp drop; }`;
      await pod.pod.namespace.run(['nft', `table netdev quiet-${hook} { chain silence ${chain}; }`]);
    }
    await untilCounted(site(), 'address-conflict');
    assert.ok(!(await addressesOf(pod.pod.namespace)).includes('192.168.2.50/24'));
    assert.equal(await site().node.ip('route', 'show', '192.168.2.50', 'dev', SHIM), '');
    const log = await daemonLog(site());
    assert.doesNotMatch(log, /"address":"192\.168\.2\.50".*a running pod gets another address/);
    await site().node.run(['ping', '-c', '1', '-W', '2', '192.168.2.50']);
  });

  test('decline-ignored: an address that somebody has is announced once, however often it is offered', async () => {
    const taken = ipv4('192.168.2.77');
    const squatter = await addSquatter(site().lan, taken, 'squatter');
    const wire = await capture(squatter.namespace, 'eth0', site().lan);
    const pod = await addPod(site(), { ...asking('address-77'), conflictCheck: 'background' });
    assert.equal(addressIn(pod.result), taken);
    await waitFor(
      'the address to be offered again, and not taken',
      async () => (await site().counter('address-turned-down:in-conflict')) > 0,
      PATIENCE,
    );
    const claims = (await wire.frames()).filter(
      (frame) => frame.kind === 'arp' && frame.senderIp === taken && frame.senderMac === macIn(pod.result),
    );
    // From the uplink, and by the pod's interface, which its siblings hear.
    assert.ok(claims.length <= 2, `${claims.length} announcements`);
    assert.deepEqual(await addressesOf(pod.pod.namespace), []);
  });
});
