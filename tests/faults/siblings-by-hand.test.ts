import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mac } from '../../src/base/mac.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { linkOf } from '../plugins/support/kernel-view.ts';
import { addressIn, macvlan, networkOf, useSite, type Attached } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addPod, conflictLine, keaOf, PATIENCE } from './support/fault-site.ts';

/** Kea gives each of these MAC addresses its own address, outside of the pool. */
const RESERVED = [
  { conflictCheck: 'before', client: mac('02:5e:00:53:00:54'), address: '192.168.2.54' },
  { conflictCheck: 'background', client: mac('02:5e:00:53:00:55'), address: '192.168.2.55' },
] as const;
const RESERVATIONS = {
  'reservations-global': true,
  reservations: RESERVED.map(({ client, address }) => ({ 'hw-address': client, 'ip-address': address })),
};

/** No macvlan of anybody else is on this uplink, which alone would be a reason to ask the siblings. */
describe('pods of this daemon alone', { skip: NEEDS_ROOT, concurrency: 2 }, () => {
  const site = useSite({ server: keaOf(600, 300, 500, RESERVATIONS) });

  async function addTo(client: string, conflictCheck: string): Promise<Attached> {
    return await site().add(networkOf([macvlan({ mac: client }, { conflictCheck })]));
  }

  for (const { conflictCheck, client, address } of RESERVED) {
    test(`address-of-a-foreign-macvlan: an address that somebody put on in a pod by hand is seen, ${conflictCheck}`, async () => {
      const { namespace } = (await addPod(site())).pod;
      await namespace.ip('addr', 'add', `${address}/24`, 'dev', 'eth0');
      const { address: holder } = await linkOf(namespace);
      const pod = await addTo(client, conflictCheck);
      if (conflictCheck === 'before') assert.notEqual(addressIn(pod.result), address);
      await waitFor(
        'the address to be given up',
        async () => (await conflictLine(site(), address)).includes(holder),
        PATIENCE,
      );
    });
  }
});
