import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { goMainPlugins } from './support/go-plugins.ts';
import { linksOf } from './support/kernel-view.ts';
import { type ScriptedServer, startScripted } from './support/scripted.ts';
import { macvlan, networkOf, type Site, useSite } from './support/site.ts';

/** Enough for a first message and two more. */
const DEADLINE_SECONDS = 1;
const FAULT_TESTS_AT_ONCE = 10;

/** What an ADD fails with. */
async function failure(site: Site, ipam: JsonObject, conf: JsonObject = {}): Promise<CniPluginError> {
  const pod = await site.pod();
  try {
    await site.attach(networkOf([macvlan(conf, ipam)]), pod);
  } catch (error) {
    assert.ok(error instanceof CniPluginError);
    assert.equal((await linksOf(pod.namespace)).size, 0, 'no link is left');
    const leases = await site.daemonLeases();
    assert.ok(!leases.some((lease) => lease['containerId'] === pod.attachment.containerId));
    assert.ok(!(await site.records()).some((name) => name.includes(pod.attachment.containerId)));
    return error;
  }
  throw new Error('the ADD did not fail');
}

const sending = (name: string): JsonObject => ({ provide: [{ option: 'host-name', value: name }] });

describe('an ADD without a usable answer', { skip: NEEDS_ROOT, concurrency: FAULT_TESTS_AT_ONCE }, () => {
  const site = useSite({ server: { kind: 'none' }, dhcp: { deadlineSeconds: DEADLINE_SECONDS } });
  let server: ScriptedServer;
  before(async () => {
    server = await startScripted(site());
  });

  test('good: the server that the others spoil', async () => {
    const added = await site().add(networkOf([macvlan({ mac: '02:5e:00:53:02:01' }, sending('good'))]));
    assert.deepEqual(
      (await server.from('02:5e:00:53:02:01')).map(({ type }) => type),
      ['01', '03'],
    );
    await site().del(added);
  });

  test('nobody answers: dhcp-no-answer, with the number of DISCOVERs', async () => {
    const chaddr = '02:5e:00:53:02:02';
    const error = await failure(site(), sending('nobody-knows-this'), { mac: chaddr });
    assert.equal(error.code, 120);
    // From the second on each comes twice, from the uplink and from the pod's interface; no two tries are alike.
    const tries = new Set((await server.from(chaddr)).map(({ options }) => JSON.stringify(options))).size;
    assert.ok(tries >= 2, `${tries} DISCOVERs`);
    assert.match(error.msg, new RegExp(`^no DHCP lease for eth0: sent ${tries} DISCOVERs in `));
    assert.match(error.msg, /; nothing came back$/);
  });

  const unusable: Readonly<Record<string, RegExp>> = {
    'wrong-xid': /ignored \d+ messages?: the transaction id is not ours/,
    'wrong-mac': /ignored \d+ messages?: chaddr is not our MAC address/,
    'not-a-reply': /ignored \d+ messages?: op is not BOOTREPLY/,
    'no-server-id': /ignored \d+ messages?: option 54 \(dhcp-server-identifier\) is missing/,
    'malformed-server-id': /ignored \d+ messages?: option 54 \(dhcp-server-identifier\) is malformed/,
    'no-type': /ignored \d+ messages?: option 53 \(dhcp-message-type\) is missing/,
    'malformed-lease-time': /ignored \d+ messages?: option 51 \(dhcp-lease-time\) is malformed/,
    'zero-lease-time': /ignored \d+ messages?: option 51 \(dhcp-lease-time\) is 0/,
    'bad-mask': /ignored \d+ messages?: option 1 \(subnet-mask\) is malformed or not contiguous/,
    'no-address': /ignored \d+ messages?: yiaddr is not an address that a host can have/,
    'multicast-address': /ignored \d+ messages?: yiaddr is not an address that a host can have/,
    'other-client-id': /ignored \d+ messages?: the server echoed another client identifier/,
    'ack-other-server': /took 1 OFFER; .*ignored \d+ messages?: it comes from another server/,
  };
  for (const [fault, text] of Object.entries(unusable)) {
    test(`${fault}: dhcp-unusable, and why`, async () => {
      const error = await failure(site(), sending(fault));
      assert.match(error.msg, text);
      assert.equal(error.code, 122);
    });
  }

  test('a pod does not count what its neighbours hear', async () => {
    const chaddr = '02:5e:00:53:02:04';
    const error = await failure(site(), sending('ack-other-server'), { mac: chaddr });
    const ignored = /ignored (\d+) messages?: it comes from another server/.exec(error.msg)?.[1];
    const requests = (await server.from(chaddr)).filter(({ type }) => type === '03').length;
    // Each answer is heard on the uplink, and from the second try on also at the pod's interface.
    assert.ok(Number(ignored) <= 2 * requests, `${requests} REQUESTs; ${error.msg}`);
  });

  test('nak: dhcp-refused, in the words of the server', async () => {
    const error = await failure(site(), sending('nak'));
    assert.equal(error.code, 121);
    assert.match(error.msg, /was refused by \d+ NAKs? of 192\.168\.2\.1 \("not on this wire"\)/);
  });

  test('ack-silent: an OFFER and then nothing; what may have been granted is given back', async () => {
    const chaddr = '02:5e:00:53:02:03';
    const error = await failure(site(), sending('ack-silent'), { mac: chaddr });
    assert.equal(error.code, 120, error.msg);
    assert.match(error.msg, /sent \d+ DISCOVERs? and \d+ REQUESTs? in .*; took 1 OFFER/);
    const seen = await server.from(chaddr);
    assert.deepEqual([...new Set(seen.map(({ type }) => type))], ['01', '03', '07']);
  });

  test("under Debian's Go macvlan the diagnosis goes through, and no lease is left", async () => {
    const runtime = await goMainPlugins(site(), { socket: site().daemon.socket });
    const { attachment } = await site().pod();
    const network = networkOf([macvlan({}, sending('zero-lease-time'))]);
    await assert.rejects(runtime.add(network, attachment, { delOnFailure: false }), {
      plugin: 'macvlan',
      msg: /no DHCP lease for eth0: sent .*option 51 \(dhcp-lease-time\) is 0/,
    });
    const leases = await site().daemonLeases();
    assert.ok(!leases.some((lease) => lease['containerId'] === attachment.containerId));
    await runtime.del(network, attachment);
  });

  for (const fault of ['overrun', 'no-cookie', 'short']) {
    test(`${fault}: bytes that are no message are counted and named, and the daemon lives`, async () => {
      const countBefore = await malformedCount(site());
      const error = await failure(site(), sending(fault));
      assert.equal(error.code, 122, error.msg);
      assert.match(error.msg, /ignored \d+ messages?: it cannot be read/);
      assert.ok((await malformedCount(site())) > countBefore);
    });
  }
});

async function malformedCount(site: Site): Promise<number> {
  const reasons = ['option-overrun', 'bad-cookie', 'too-short'];
  const counts = await Promise.all(reasons.map((reason) => site.counter(`message-dropped:${reason}`)));
  return counts.reduce((sum, count) => sum + count, 0);
}
