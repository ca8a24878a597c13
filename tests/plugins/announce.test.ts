import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { ping } from '../../src/lab/ping.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { macIn, macvlan, networkOf, useSite } from './support/site.ts';

const ADDRESS = ipv4('192.168.2.226');

/** A neighbour that knew the address under another MAC must learn the new one without asking. */
describe('an address that comes back with another MAC', { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  for (const [name, ipam] of [
    ['given by another IPAM', { type: 'static', addresses: [{ address: `${ADDRESS}/24` }] }],
    ['leased', { type: 'dhcp' }],
  ] as const) {
    test(`${name}: is announced to the LAN`, async () => {
      const { router } = site().lan;
      const known = async (): Promise<string> => await router.run(['ip', 'neigh', 'show', 'to', ADDRESS]);
      const network = networkOf([{ ...macvlan({ ipam }), capabilities: { ips: true } }]);
      const attach = async (): ReturnType<ReturnType<typeof site>['add']> => {
        const pod = await site().pod({ capabilityArgs: { ips: [`${ADDRESS}/24`] } });
        return site().attach(network, pod);
      };
      const first = await attach();
      assert.ok(await ping(router, ADDRESS));
      assert.ok((await known()).includes(macIn(first.result)));
      await site().del(first);
      await site().waitForNoLease(macIn(first.result));
      const second = await attach();
      assert.notEqual(macIn(second.result), macIn(first.result));
      await waitFor('the router to know the new MAC', async () =>
        (await known()).includes(macIn(second.result)),
      );
      await site().del(second);
    });
  }
});
