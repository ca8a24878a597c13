import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import { mac, type Mac } from '../../src/base/mac.ts';
import { UPLINK } from '../../src/lab/host.ts';
import { Namespace } from '../../src/lab/namespace.ts';
import { namespaceName } from '../../src/lab/names.ts';
import { ping } from '../../src/lab/ping.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { linkOf } from '../plugins/support/kernel-view.ts';
import { addressIn, macIn, macvlan, networkOf, useSite, type Attached } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { capture, type Capture, type Captured } from './support/capture.ts';
import { addPod, conflictLine, keaOf, PATIENCE } from './support/fault-site.ts';

/** Kea gives this MAC address an address of its own, outside of the pool. */
const RESERVED = mac('02:5e:00:53:00:53');
/** DISCOVER and REQUEST. */
const ASKED_ONCE = 2;
const TAKEN = '192.168.2.53';
const RESERVATIONS = {
  'reservations-global': true,
  reservations: [{ 'hw-address': RESERVED, 'ip-address': TAKEN }],
};

async function requestsOf(client: Mac, { frames }: Capture): Promise<number> {
  const isRequest = (frame: Captured): boolean =>
    frame.kind === 'dhcp' && frame.message.op === 'request' && frame.message.chaddr === client;
  return (await frames()).filter(isRequest).length;
}

/** The kernel hands what one macvlan broadcasts to the others; what a socket of their uplink sends it does not. */
describe('macvlans of one uplink', { skip: NEEDS_ROOT, concurrency: 8 }, () => {
  const site = useSite({ server: keaOf(600, 300, 500, RESERVATIONS) });

  async function add(conf: JsonObject, ipam: JsonObject = {}): Promise<Attached> {
    return await site().add(networkOf([macvlan(conf, ipam)]));
  }

  async function addWanting(address: string): Promise<Attached> {
    const network = networkOf([macvlan({ capabilities: { ips: true } })]);
    return await site().add(network, { capabilityArgs: { ips: [`${address}/24`] } });
  }

  test('what a pod asks a server of the wire is not copied to its siblings', async () => {
    const sibling = (await addPod(site())).pod.namespace;
    const wire = await capture(site().node, UPLINK, site().lan);
    const beside = await capture(sibling, 'eth0', site().lan);
    // A server that is slow to answer is asked again, and that is for a server beside the pod, too.
    const client = await waitFor(
      'a pod whose server answers at once',
      async () => {
        const asking = macIn((await addPod(site())).result);
        const seen = await waitFor('its messages to be captured', async () => {
          const requests = await requestsOf(asking, wire);
          return requests >= ASKED_ONCE && requests;
        });
        return seen === ASKED_ONCE && asking;
      },
      PATIENCE,
    );
    // Behind what there might be of it, the sibling's own ping is captured.
    const pings = async (): Promise<number> =>
      (await beside.frames()).filter(({ kind }) => kind === 'icmp').length;
    const before = await pings();
    await ping(sibling, site().lan.routerAddress.address, { tries: 3 });
    await waitFor('a ping to be captured', async () => (await pings()) > before);
    assert.equal(await requestsOf(client, beside), 0);
  });

  test('address-with-another-mac: a sibling that spoke with the pod before finds the next one at once', async () => {
    const address = '192.168.2.240';
    const sibling = (await addPod(site())).pod.namespace;
    const known = async (): Promise<string> => await sibling.ip('neigh', 'show', 'to', address);
    const first = await addWanting(address);
    assert.ok(await ping(sibling, addressIn(first.result), { tries: 3 }));
    assert.match(await known(), new RegExp(macIn(first.result)));
    await site().del(first);
    await site().waitForNoLease(macIn(first.result));
    const second = await addWanting(address);
    assert.notEqual(macIn(second.result), macIn(first.result));
    // The sibling sends nothing meanwhile: its kernel would find out by itself, after seconds of sending to nobody.
    await waitFor(
      'the sibling to forget the old MAC address',
      async () => !(await known()).includes(macIn(first.result)),
      { describe: known },
    );
    assert.ok(await ping(sibling, addressIn(second.result)));
    assert.match(await known(), new RegExp(macIn(second.result)));
  });

  /** A namespace of nobody's pod, with a macvlan that somebody made by hand on the node's uplink. It is down. */
  async function foreignMacvlan(name: string): Promise<Namespace> {
    const { prefix, resources } = site().lan;
    const foreign = await Namespace.create(namespaceName(prefix, name), resources);
    const link = ['link', 'eth0', 'name', 'eth0', 'netns', foreign.name, 'type', 'macvlan', 'mode', 'bridge'];
    await site().node.ip('link', 'add', ...link);
    return foreign;
  }

  test('address-of-a-foreign-macvlan: it is asked, too', async () => {
    const foreign = await foreignMacvlan('foreign');
    await foreign.ip('addr', 'add', `${TAKEN}/24`, 'dev', 'eth0');
    await foreign.ip('link', 'set', 'eth0', 'up');
    const pod = await add({ mac: RESERVED }, { conflictCheck: 'before' });
    assert.notEqual(addressIn(pod.result), TAKEN);
    assert.match(await conflictLine(site(), TAKEN), new RegExp((await linkOf(foreign)).address));
  });

  test('address-of-a-foreign-macvlan: one that takes the address later is heard, too', async () => {
    const pod = await add({}, { conflictCheck: 'background' });
    const address = addressIn(pod.result);
    const foreign = await foreignMacvlan('late');
    await foreign.ip('addr', 'add', `${address}/24`, 'dev', 'eth0');
    // The kernel announces its addresses when the link comes up.
    await foreign.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify']);
    const { address: holder } = await linkOf(foreign);
    await waitFor(
      'the address to be given up',
      async () => {
        await foreign.ip('link', 'set', 'eth0', 'down');
        await foreign.ip('link', 'set', 'eth0', 'up');
        return (await conflictLine(site(), address)).includes(holder);
      },
      { ...PATIENCE, everyMs: 1000 },
    );
  });
});
