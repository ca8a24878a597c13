import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import { addressesOf, routesOf } from '../plugins/support/kernel-view.ts';
import {
  DISCOVER,
  REQUEST,
  startScripted,
  type ScriptedServer,
  type Seen,
} from '../plugins/support/scripted.ts';
import { addressIn, macIn, useSite, type Attached } from '../plugins/support/site.ts';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addPod, asking, daemonLog, leaseView, PATIENCE, untilCounted } from './support/fault-site.ts';

/** Pods side by side: nearly all the time of a test here is waiting for a lease's own times. */
const options = { skip: NEEDS_ROOT, concurrency: 16 };

const CLIENT_ID = '61';
const RAPID_COMMIT = '80';
/** A name (option 81) and a vendor class (60) beside what is always sent. */
const MORE: JsonObject = { send: { '81': { hex: '0000000370306400' }, 'vendor-class-identifier': 'lab' } };

async function assertServed(pod: Attached, prefix = 24): Promise<void> {
  assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/${prefix}`]);
}

describe('answers that are strange and still good', options, () => {
  const site = useSite({ server: { kind: 'none' } });
  let server: ScriptedServer;
  before(async () => {
    server = await startScripted(site());
  });

  async function add(behaviour: string, more: JsonObject = {}): Promise<Attached> {
    return await addPod(site(), { ...asking(behaviour), ...more });
  }

  async function messagesOf(pod: Attached): Promise<readonly Seen[]> {
    return await server.from(macIn(pod.result));
  }

  /** So many REQUESTs with ciaddr, while the pod has its address. */
  async function untilRenewed(pod: Attached, times: number, prefix = 24): Promise<readonly Seen[]> {
    const renewals = await waitFor(
      `${times} renewals`,
      async () => {
        const seen = (await messagesOf(pod)).filter(
          ({ type, ciaddr }) => type === REQUEST && ciaddr !== '0.0.0.0',
        );
        return seen.length >= times && seen;
      },
      PATIENCE,
    );
    await assertServed(pod, prefix);
    return renewals;
  }

  test('answer-from-another-address: option 54 counts, in ADD and renewals', async () => {
    const pod = await add('lease-4.other-source');
    const [first] = await untilRenewed(pod, 2);
    // Renewals go to the server of option 54, by unicast.
    assert.equal(first?.via, 'unicast');
  });

  test('late-answer: an OFFER after eight seconds', async () => {
    const pod = await add('late-offer-8000');
    await assertServed(pod);
    const discovers = (await messagesOf(pod)).filter(({ type }) => type === DISCOVER);
    // Those without an identifier are another client's.
    const ours = discovers.filter(({ options: sent }) => CLIENT_ID in sent);
    assert.equal(new Set(ours.map(({ xid }) => xid)).size, 1);
    assert.ok(ours.length > 3);
  });

  test('late-acknowledgement: an ACK after eight seconds answers the same REQUEST', async () => {
    const pod = await add('late-ack-8000');
    await assertServed(pod);
    const requests = (await messagesOf(pod)).filter(({ type }) => type === REQUEST);
    assert.equal(new Set(requests.map(({ xid }) => xid)).size, 1);
    assert.ok(requests.length > 3);
  });

  test('answer-twice: the second copy changes nothing', async () => {
    const pod = await add('lease-4.twice');
    const renewals = await untilRenewed(pod, 2);
    assert.equal(new Set(renewals.map(({ xid }) => xid)).size, renewals.length);
  });

  test('wrong-xid: the pod keeps its address until the end, and gets it again', async () => {
    const pod = await add('lease-6.renewal-wrong-xid');
    await untilCounted(site(), 'message-ignored:wrong-xid', 2);
    await assertServed(pod);
    await waitFor(
      'the lease to be sought again after its end',
      async () => (await messagesOf(pod)).filter(({ type }) => type === '01').length >= 2,
      PATIENCE,
    );
    await waitFor('the address to be back', async () => (await addressesOf(pod.pod.namespace)).length === 1, {
      ...PATIENCE,
    });
  });

  test('options-overloaded: options in the field file are read', async () => {
    const pod = await add('lease-4.overloaded');
    await untilRenewed(pod, 1);
    assert.match((await routesOf(pod.pod.namespace)).join('\n'), /default via 192\.168\.2\.1/);
  });

  test('options-duplicated: copies of one value are one, and the first counts', async () => {
    await untilRenewed(await add('lease-4.duplicated'), 1);
    const pod = await add('lease-4.contradicting');
    await untilRenewed(pod, 1);
    // Of 192.168.2.1 and .77, and of leases of 4 s and 1 s.
    assert.equal((await leaseView(site(), pod))?.['server'], '192.168.2.1');
    const warned = 'options of the lease were not taken as they are';
    assert.match(
      await daemonLog(site()),
      new RegExp(`dhcp-server-identifier: sent more than once.*${warned}`),
    );
  });

  test('identifier-altered: an option 61 that is cut, empty or the MAC address', async () => {
    await Promise.all(
      ['echo-cut', 'echo-empty', 'echo-mac'].map(async (behaviour) => {
        await untilRenewed(await add(`lease-4.${behaviour}`), 1);
      }),
    );
  });

  test('hardware-type-wrong: htype and hlen 0, and the htype of IEEE 802', async () => {
    await assertServed(await add('type-0.length-0'));
    await assertServed(await add('type-6'));
  });

  test('renewal-without-yiaddr: an ACK that names our address in ciaddr extends the lease', async () => {
    await untilRenewed(await add('lease-4.renewal-no-yiaddr'), 3);
    assert.equal(await site().counter('message-ignored:bad-address'), 0);
  });

  test('values-that-are-none: addresses and names are left out, their lists stay', async () => {
    const { pod, result } = await add('odd-routers.odd-dns.odd-domain.odd-search');
    assert.deepEqual(result['dns'], {
      nameservers: ['192.168.2.53'],
      domain: 'lan.example',
      search: ['a', 'c'],
    });
    assert.match((await routesOf(pod.namespace)).join('\n'), /^default via 192\.168\.2\.1 dev eth0$/m);
    const list = await add('odd-domain');
    assert.deepEqual(list.result['dns'], {
      domain: 'lan.example',
      search: ['lan.example', 'corp.example'],
    });
  });

  test('lease-time-infinite: taken, and without an end', async () => {
    const pod = await add('lease-4294967295');
    await assertServed(pod);
    assert.equal((await leaseView(site(), pod))?.['expiresInSeconds'], null);
  });

  test('lease-time-one-second: renewed within the second', async () => {
    await untilRenewed(await add('lease-1'), 3);
  });

  test('t1-after-t2: repaired, and renewed in time', async () => {
    const pod = await add('lease-6.t1-5.t2-3');
    const [first] = await untilRenewed(pod, 2);
    assert.equal(first?.via, 'unicast');
    // T2 and T1 behind the end.
    await untilRenewed(await add('lease-4.t1-100.t2-200'), 1);
  });

  test('no-subnet-mask: the mask of the class', async () => {
    // 192.168.2.200 is of class C: /24.
    await assertServed(await add('no-mask'));
  });

  test('router-outside-subnet: the default route leads there', async () => {
    const pod = await add('far-router');
    await assertServed(pod);
    const routes = await routesOf(pod.pod.namespace);
    assert.ok(
      routes.some((route) => route.startsWith('default via 10.99.0.1 dev eth0')),
      routes.join('\n'),
    );
  });

  test('reordering: each answer behind the one to the next message', async () => {
    await assertServed(await add('reversed'));
  });

  test('renewal-mentions-less: the pod keeps mask and routes', async () => {
    const pod = await add('lease-4.prefix-26.renewal-times-only');
    await untilRenewed(pod, 3, 26);
    const routes = await routesOf(pod.pod.namespace);
    assert.ok(
      routes.some((route) => route.startsWith('default via 192.168.2.1 dev eth0')),
      routes.join('\n'),
    );
  });

  for (const what of ['trips-81', 'trips-60', 'trips-55-8', 'trips-61-32']) {
    test(`option-not-taken: ${what} is served by a message that it takes`, async () => {
      await assertServed(await add(what, MORE));
    });
  }

  test('rapid-ack-unmarked: it is not taken, and the exchange of four messages is begun at once', async () => {
    const pod = await add('unmarked-ack');
    await assertServed(pod);
    const seen = await messagesOf(pod);
    assert.ok(seen.some(({ type }) => type === REQUEST));
  });

  test('no-server-id: an ACK that extends a lease is taken without', async () => {
    const pod = await add('lease-4.renewal-no-server-id');
    await untilRenewed(pod, 3);
  });
});

/** Of each DISCOVER of a pod, whether it offered rapid commit. */
async function offersOf(server: ScriptedServer, pod: Attached): Promise<readonly boolean[]> {
  const seen = await server.from(macIn(pod.result));
  return seen.filter(({ type }) => type === DISCOVER).map(({ options: sent }) => RAPID_COMMIT in sent);
}

describe('messages that a server does not take', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: { kind: 'none' }, dhcp: { deadlineSeconds: 3 } });
  let server: ScriptedServer;
  before(async () => {
    server = await startScripted(site(), 'trips-61-32');
  });

  test('option-not-taken: an identifier that somebody chose is never left out, and the error names it', async () => {
    const chosen = { clientId: 'a-name-that-somebody-wrote-into-the-server' };
    await assert.rejects(addPod(site(), chosen), (error) => {
      assert.ok(error instanceof CniPluginError);
      assert.equal(error.code, 120);
      assert.match(
        error.details,
        /carries option 61 \(dhcp-client-identifier\), and answers the same one without/,
      );
      return true;
    });
  });

  test('option-not-taken: served by a message without it, and the next pod begins with that', async () => {
    const first = await addPod(site(), asking('trips-80'));
    await assertServed(first);
    const [offered, ...without] = await offersOf(server, first);
    assert.equal(offered, true);
    assert.ok(without.length > 0 && !without.includes(true));
    // A server that is slow for once teaches nothing: then the next pod finds it out, and the one after it begins so.
    await waitFor(
      'a pod that begins without option 80',
      async () => !(await offersOf(server, await addPod(site(), asking('trips-80')))).includes(true),
      PATIENCE,
    );
    assert.match(
      await daemonLog(site()),
      /DHCP on eth0 did not answer .* without option 80 \(rapid-commit\)/,
    );
  });
});

describe('answers that are of no use', options, () => {
  const DEADLINE_SECONDS = 3;
  const site = useSite({ server: { kind: 'none' }, dhcp: { deadlineSeconds: DEADLINE_SECONDS } });
  before(async () => {
    await startScripted(site());
  });

  async function refused(behaviour: string, code: number, msg: RegExp): Promise<void> {
    await assert.rejects(addPod(site(), asking(behaviour)), { code, msg });
  }

  test('options-truncated: no message at all', async () => {
    await refused('overrun', 122, /cut off/);
    assert.ok((await site().counter('message-ignored:garbled')) > 0);
  });

  test('lease-time-zero: not taken', async () => {
    await refused('lease-0', 122, /dhcp-lease-time\) is 0/);
    assert.ok((await site().counter('message-ignored:zero-lease-time')) > 0);
  });

  test('no-server-id: an OFFER without is not taken', async () => {
    await refused('no-server-id', 122, /dhcp-server-identifier/);
    assert.ok((await site().counter('message-ignored:no-server-id')) > 0);
  });

  test('nak-storm: ever longer pauses, and the words of the server', async () => {
    await refused('nak', 121, /not on this wire/);
    const naks = await site().counter('nak');
    // With pauses from one second on, few fit; without any there would be hundreds.
    assert.ok(naks >= 1 && naks <= DEADLINE_SECONDS + 1, String(naks));
  });
});
