import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Ipv4 } from '../../src/base/ipv4.ts';
import type { JsonObject } from '../../src/base/json.ts';
import { nowSeconds, type ServerKind } from '../../src/lab/server.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressIn, type Attached, macIn, macvlan, networkOf, useSite } from './support/site.ts';

type Server = {
  readonly kind: ServerKind;
  /** The same MAC is enough for it to give a new client the address of one that is gone. */
  readonly goesByMac: boolean;
  /** It remembers itself whose address was given back: by the identifier. */
  readonly remembersId: boolean;
  /** An address that is given back counts as free from the next second of its clock on. */
  readonly holdsForASecond: boolean;
};

/** As it was seen; docs/identity.md has the same in words. */
const SERVERS: readonly Server[] = [
  { kind: 'dnsmasq', goesByMac: true, remembersId: false, holdsForASecond: false },
  { kind: 'kea', goesByMac: false, remembersId: false, holdsForASecond: false },
  { kind: 'isc', goesByMac: false, remembersId: true, holdsForASecond: false },
  { kind: 'udhcpd', goesByMac: true, remembersId: false, holdsForASecond: true },
];

/** `new`: in the place of a random MAC, one that the server has never seen; it does the same with it each time. */
type MacChoice = 'new' | 'pod';

for (const { kind, goesByMac, remembersId, holdsForASecond } of SERVERS) {
  describe(`a pod that is created again, at ${kind}`, { skip: NEEDS_ROOT }, () => {
    const site = useSite({ server: { kind } });
    let macs = 0;
    let pods = 0;

    function newMac(): string {
      macs += 1;
      return `02:00:5e:10:70:${macs.toString(16).padStart(2, '0')}`;
    }

    async function add(pod: string, ipam: JsonObject, choice: MacChoice): Promise<Attached> {
      const mac = choice === 'new' ? newMac() : choice;
      const args = { IgnoreUnknown: '1', K8S_POD_NAMESPACE: 'shop', K8S_POD_NAME: pod };
      return await site().add(networkOf([macvlan({ mac }, ipam)]), { args });
    }

    async function del(attached: Attached): Promise<void> {
      await site().del(attached);
      await site().waitForNoLease(macIn(attached.result));
      const releasedAt = nowSeconds();
      if (holdsForASecond) await waitFor('the next second', () => nowSeconds() > releasedAt);
    }

    /** The address of a pod, and that of the next container of its name; two others came in between. */
    async function twice(
      ipam: JsonObject,
      mac: MacChoice,
      meanwhile: () => Promise<void> = () => Promise.resolve(),
    ): Promise<readonly [Ipv4, Ipv4]> {
      // Neither the server nor the node has heard of any of them.
      pods += 1;
      const first = await add(`web-${pods}`, ipam, mac);
      await del(first);
      const others = [await add(`db-${pods}`, ipam, 'new'), await add(`mail-${pods}`, ipam, 'new')];
      await meanwhile();
      const second = await add(`web-${pods}`, ipam, mac);
      for (const attached of [...others, second]) await site().del(attached);
      return [addressIn(first.result), addressIn(second.result)];
    }

    test('as a container of its own, the default, it gets another address', async () => {
      const [first, second] = await twice({}, 'new');
      assert.notEqual(second, first);
    });

    test(`with nothing but its MAC it gets ${goesByMac ? 'the same' : 'another'}`, async () => {
      const [first, second] = await twice({}, 'pod');
      assert.equal(second === first, goesByMac);
    });

    for (const [clientId, mac] of [
      ['pod', 'pod'],
      ['pod', 'new'],
      ['duid', 'new'],
      ['mac', 'pod'],
    ] as const) {
      test(`clientId ${clientId}, ${mac} MAC: it gets its old address`, async () => {
        const [first, second] = await twice({ clientId }, mac);
        assert.equal(second, first);
      });
    }

    for (const [mac, expected] of [
      ['new', remembersId],
      ['pod', remembersId || goesByMac],
    ] as const) {
      test(`where the node does not remember it, ${mac} MAC: it gets ${expected ? 'the same' : 'another'}`, async () => {
        const [first, second] = await twice({ clientId: 'pod' }, mac, async () => {
          await rm(join(site().daemon.stateDir, 'past'), { recursive: true });
          await site().daemon.restart();
        });
        assert.equal(second === first, expected);
      });
    }

    test('also from a daemon that was restarted in between', async () => {
      const [first, second] = await twice({ clientId: 'pod' }, 'new', site().daemon.restart);
      assert.equal(second, first);
      assert.equal(await site().counter('past-dropped'), 0);
      assert.equal(await site().counter('past-failed'), 0);
    });
  });
}
