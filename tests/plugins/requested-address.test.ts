import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ServerOptions } from '../../src/lab/home-lan.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { linksOf } from './support/kernel-view.ts';
import {
  ADDRESS_OUTSIDE_POOL,
  addressIn,
  type AddOptions,
  macIn,
  macvlan,
  networkOf,
  type Site,
  useSite,
} from './support/site.ts';

const CAPABILITIES = { ips: true };

/** The messages of dnsmasq's log that are about one MAC address, in order: "DHCPREQUEST". */
async function messagesAbout(site: Site, mac: string): Promise<readonly string[]> {
  return (await site.serverLog()).split('\n').flatMap((line) => {
    const found = /(DHCP[A-Z]+)\(br0\)/.exec(line);
    return found?.[1] !== undefined && line.includes(mac) ? [found[1]] : [];
  });
}

const WAYS: readonly (readonly [string, string, AddOptions])[] = [
  ['runtimeConfig.ips', '192.168.2.222', { capabilityArgs: { ips: ['192.168.2.222/24'] } }],
  ['CNI_ARGS IP', '192.168.2.223', { args: { IgnoreUnknown: '1', IP: '192.168.2.223' } }],
];

for (const server of [{ kind: 'dnsmasq' }, { kind: 'kea' }] as const satisfies readonly ServerOptions[]) {
  describe(`an address that is asked for, at ${server.kind}`, { skip: NEEDS_ROOT }, () => {
    const site = useSite({ server, dhcp: { deadlineSeconds: 2 } });
    const network = networkOf([macvlan({ capabilities: CAPABILITIES })]);

    for (const [way, address, options] of WAYS) {
      test(`${way}: it is given`, async () => {
        const added = await site().add(network, options);
        assert.equal(addressIn(added.result), address);
        assert.equal((await site().leaseOf(macIn(added.result)))?.ip, address);
        await site().del(added);
        await site().waitForNoLease(macIn(added.result));
      });
    }

    test('again, for a client that the server knows', async () => {
      const options = { capabilityArgs: { ips: ['192.168.2.224'] } };
      const ipam = { provide: [{ option: 'dhcp-client-identifier', value: '0x0073746566' }] };
      const stable = networkOf([macvlan({ mac: '02:5e:00:53:03:01', capabilities: CAPABILITIES }, ipam)]);
      for (let run = 0; run < 2; run++) {
        const added = await site().add(stable, options);
        assert.equal(addressIn(added.result), '192.168.2.224');
        await site().del(added);
      }
    });

    test('one outside of the pool: a clear error in time, and nothing left', async () => {
      const pod = await site().pod({ capabilityArgs: { ips: [ADDRESS_OUTSIDE_POOL] } });
      await assert.rejects(site().attach(network, pod), (error: Error & { code: number; msg: string }) => {
        assert.ok([121, 122].includes(error.code), error.message);
        assert.match(error.msg, /another address than the one that was asked for|was refused by \d+ NAK/);
        assert.ok(error.msg.includes(`${ADDRESS_OUTSIDE_POOL} was asked for: `), error.msg);
        return true;
      });
      assert.equal((await linksOf(pod.namespace)).size, 0);
      assert.deepEqual(await site().daemonLeases(), []);
      assert.deepEqual(await site().records(), []);
      assert.deepEqual(await site().lan.server.leases(), []);
    });

    test('one that another pod has: the error has both that one and what the server gives in its place', async () => {
      const options = { capabilityArgs: { ips: ['192.168.2.226'] } };
      const holder = await site().add(network, options);
      const pod = await site().pod(options);
      await assert.rejects(site().attach(network, pod), (error: Error & { code: number; msg: string }) => {
        assert.ok([121, 122].includes(error.code), error.message);
        assert.match(error.msg, /192\.168\.2\.226 was asked for: /);
        assert.match(error.msg, /than the one that was asked for \(192\.168\.2\.\d+ of 192\.168\.2\.1[,)]/);
        return true;
      });
      assert.equal((await linksOf(pod.namespace)).size, 0);
      await site().del(holder);
    });

    test('what is no address is refused by its key', async () => {
      for (const [options, key] of [
        [{ capabilityArgs: { ips: ['nonsense'] } }, 'runtimeConfig.ips'],
        [{ capabilityArgs: { ips: 'x' } }, 'runtimeConfig.ips'],
        [{ args: { IP: '0.0.0.0' } }, 'CNI_ARGS IP'],
      ] as const) {
        const pod = await site().pod(options);
        await assert.rejects(site().attach(network, pod), { code: 7, msg: new RegExp(`^${key}: `) });
        assert.equal((await linksOf(pod.namespace)).size, 0);
      }
    });
  });
}

describe('the messages that it takes, in the log of dnsmasq', { skip: NEEDS_ROOT }, () => {
  const site = useSite({
    server: { kind: 'dnsmasq', lines: ['dhcp-rapid-commit'] },
    dhcp: { deadlineSeconds: 1 },
  });

  test('an address that is asked for: a DISCOVER with option 50, and no rapid commit', async () => {
    const capabilityArgs = { ips: ['192.168.2.225'] };
    const network = networkOf([macvlan({ capabilities: CAPABILITIES })]);
    const added = await site().add(network, { capabilityArgs });
    const messages = await messagesAbout(site(), macIn(added.result));
    assert.deepEqual(messages, ['DHCPDISCOVER', 'DHCPOFFER', 'DHCPREQUEST', 'DHCPACK']);
    await site().del(added);
    await site().waitForNoLease(macIn(added.result));
  });

  test('one outside of the pool, three times: no lease is left, for none was committed', async () => {
    const network = networkOf([macvlan({ capabilities: CAPABILITIES })]);
    for (let run = 0; run < 3; run++) {
      const pod = await site().pod({ capabilityArgs: { ips: [ADDRESS_OUTSIDE_POOL] } });
      await assert.rejects(site().attach(network, pod), { code: 122 });
    }
    assert.deepEqual(await site().lan.server.leases(), []);
  });

  test('rapid commit: a DISCOVER and an ACK are all', async () => {
    const added = await site().add(networkOf([macvlan()]));
    const messages = await messagesAbout(site(), macIn(added.result));
    assert.deepEqual(messages, ['DHCPDISCOVER', 'DHCPACK']);
    assert.equal((await site().leaseOf(macIn(added.result)))?.ip, addressIn(added.result));
    await site().del(added);
    await site().waitForNoLease(macIn(added.result));
  });
});

describe('a server that remains silent to a REQUEST of whom it does not know', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: { kind: 'kea', authoritative: false } });

  test('gives the address that is asked for to the first DISCOVER (RFC 2131 4.3.2, 4.4.1)', async () => {
    const capabilityArgs = { ips: ['192.168.2.227'] };
    const added = await site().add(networkOf([macvlan({ capabilities: CAPABILITIES })]), { capabilityArgs });
    assert.equal(addressIn(added.result), '192.168.2.227');
    assert.equal(await site().counter('message-sent'), 2, 'a DISCOVER and a REQUEST');
    await site().del(added);
  });
});

describe('rapid commit of a lease that cannot be used', { skip: NEEDS_ROOT }, () => {
  const site = useSite({
    server: { kind: 'dnsmasq', lines: ['dhcp-rapid-commit'] },
    dhcp: { deadlineSeconds: 1 },
    // The pool of the router, as if it were the service network of a cluster.
    config: { protect: ['192.168.2.128/25'] },
  });

  test('three ADDs fail and say so, and the server has no lease: each was given back', async () => {
    for (let run = 0; run < 3; run++) {
      const pod = await site().pod();
      await assert.rejects(site().attach(networkOf([macvlan()]), pod), {
        code: 122,
        msg: /sent \d+ DISCOVERs? and 1 RELEASE in .*; gave back 192\.168\.2\.\d+ of 192\.168\.2\.1; .*"protect"/,
      });
    }
    const log = await site().serverLog();
    assert.equal([...log.matchAll(/DHCPRELEASE\(br0\)/g)].length, 3);
    assert.deepEqual(await site().lan.server.leases(), []);
  });
});

describe('without rapid commit', { skip: NEEDS_ROOT }, () => {
  const site = useSite({
    server: { kind: 'dnsmasq', lines: ['dhcp-rapid-commit'] },
    dhcp: { rapidCommit: false },
  });

  test('the operator may switch it off: four messages', async () => {
    const added = await site().add(networkOf([macvlan()]));
    assert.deepEqual(await messagesAbout(site(), macIn(added.result)), [
      'DHCPDISCOVER',
      'DHCPOFFER',
      'DHCPREQUEST',
      'DHCPACK',
    ]);
    await site().del(added);
  });
});
