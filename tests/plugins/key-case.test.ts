import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import type { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { goMainPlugins } from './support/go-plugins.ts';
import { addressesOf, linkOf } from './support/kernel-view.ts';
import { networkOf, useSite } from './support/site.ts';

const MAC = '02:5e:00:53:0a:01';
const STATIC = { type: 'static', addresses: [{ address: '192.168.2.41/24' }] };

const CASES: readonly JsonObject[] = [
  { master: 'eth0', Mode: 'private', MTU: 1400, MAC },
  { 'ma\u017Fter': 'eth0', MODE: 'vepa', mode: 'private' },
  { Master: 'eth0', mode: 'private', Mode: 'vepa' },
  { master: 'eth0', mode: 'private', Mode: null },
  { master: 'eth0', mtu: 1300, MTU: 1350, IPAM: STATIC },
  { master: 'eth0', IPAM: { Type: 'static' }, ipam: { addresses: STATIC.addresses } },
  { master: 'eth0', capabilities: { mac: true }, mac: '02:5e:00:53:0a:02', RuntimeConfig: { Mac: MAC } },
];

describe('keys in another case, beside the Go plugin', { skip: NEEDS_ROOT }, () => {
  const site = useSite();
  let theirs: CniRuntime;
  before(async () => {
    theirs = await goMainPlugins(site(), { socket: site().daemon.socket });
  });

  for (const conf of CASES) {
    test(JSON.stringify(conf), async () => {
      const made = [];
      for (const runtime of [theirs, site().daemon.runtime]) {
        const { namespace, attachment } = await site().pod();
        const network = networkOf([{ type: 'macvlan', ...conf }]);
        await runtime.add(network, attachment);
        const { mtu, address, linkinfo } = await linkOf(namespace);
        const mac = JSON.stringify(conf).includes(MAC) ? address : 'any';
        made.push({ mtu, mac, mode: linkinfo?.info_data?.['mode'], ips: await addressesOf(namespace) });
        await runtime.del(network, attachment);
      }
      assert.deepEqual(made[1], made[0]);
    });
  }
});
