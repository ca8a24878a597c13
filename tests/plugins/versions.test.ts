import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { linkOf } from './support/kernel-view.ts';
import { addressIn, macvlan, networkOf, ROUTER, useSite } from './support/site.ts';

/** What a result looks like in each version of the specification (SPEC.md, "Appendix: success"). */
function expected(
  cniVersion: string,
  at: { readonly mac: string; readonly sandbox: string; readonly address: string },
): JsonObject {
  const dns = { nameservers: [ROUTER], domain: 'home.arpa' };
  const routes = [{ dst: '0.0.0.0/0', gw: ROUTER }];
  const ip = { interface: 0, address: at.address, gateway: ROUTER };
  const link = { name: 'eth0', mac: at.mac, sandbox: at.sandbox };
  switch (cniVersion) {
    case '0.1.0':
    case '0.2.0':
      return { cniVersion, ip4: { ip: at.address, gateway: ROUTER, routes }, dns };
    case '1.0.0':
      return { cniVersion, interfaces: [link], ips: [ip], routes, dns };
    case '1.1.0':
      return { cniVersion, interfaces: [{ ...link, mtu: 1500 }], ips: [ip], routes, dns };
    default:
      return { cniVersion, interfaces: [link], ips: [{ version: '4', ...ip }], routes, dns };
  }
}

describe('every version of the specification', { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  for (const cniVersion of ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']) {
    test(`${cniVersion}: ADD answers in it, CHECK where it has one, DEL`, async () => {
      const network = networkOf([macvlan()], { cniVersion });
      const added = await site().add(network);
      const { address: mac } = await linkOf(added.pod.namespace);
      const leases = await site().lan.server.leases();
      const address = `${leases.find((lease) => lease.mac === mac)?.ip}/24`;
      const sandbox = added.attachment.netns;
      assert.deepEqual(added.result, expected(cniVersion, { mac, sandbox, address }));
      if (cniVersion >= '0.4.0') await site().daemon.runtime.check(network, added.attachment);
      await site().del(added);
      assert.deepEqual(await site().daemonLeases(), []);
      assert.deepEqual(await site().records(), []);
      assert.equal((await site().lan.server.leases()).length, 0);
    });
  }

  test('VERSION lists them all, under every name', async () => {
    for (const plugin of ['leasehold', 'macvlan', 'dhcp', 'route-override']) {
      assert.deepEqual(await site().daemon.runtime.version(plugin), [
        '0.1.0',
        '0.2.0',
        '0.3.0',
        '0.3.1',
        '0.4.0',
        '1.0.0',
        '1.1.0',
      ]);
    }
  });

  test('a configuration without a version is one of 0.1.0', async () => {
    const added = await site().add(networkOf([macvlan()], { cniVersion: '' }));
    assert.deepEqual(Object.keys(added.result).toSorted(), ['cniVersion', 'dns', 'ip4']);
    assert.equal(added.result['cniVersion'], '0.1.0');
    assert.match(addressIn(added.result), /^192\.168\.2\./);
    await site().del(added);
  });
});
