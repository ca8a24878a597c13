import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressIn, macIn, macvlan, networkOf, ROUTER, useSite } from './support/site.ts';

const LEASE_SECONDS = 600;

/**
 * dnsmasq sends what is configured behind what it says anyway: to who lists it in option 55, or forced to everybody.
 * 0x02 goes as the four bytes of that text: of option 53 it would not take a number.
 */
const TWICE = {
  kind: 'dnsmasq',
  leaseSeconds: LEASE_SECONDS,
  dhcpOptions: [`54,${ROUTER}`, '51,3600'],
  lines: ['dhcp-option-force=53,0x02'],
} as const;

describe('a real dnsmasq that repeats options', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: TWICE });

  /** How often each answer to a client had an option, by the log. */
  async function copies(mac: string, code: number): Promise<number> {
    const log = await site().serverLog();
    const xid = new RegExp(`(\\d+) DHCPACK\\(br0\\) \\S+ ${mac}`).exec(log)?.[1];
    assert.ok(xid, `an ACK to ${mac}`);
    const answers = log.split(`${xid} next server:`).slice(1);
    const counts = answers.map(
      (text) => text.split(new RegExp(`${xid} sent size:.* option: *${code} `)).length - 1,
    );
    assert.equal(new Set(counts).size, 1, 'OFFER and ACK alike');
    return counts[0] ?? 0;
  }

  test('what we ask for it sends once; what is forced twice, and we bind, as dhcpcd and udhcpc do', async () => {
    const clients = ['udhcpc', 'dhcpcd'] as const;
    const [{ result }, ...hosts] = await Promise.all([
      site().add(networkOf([macvlan()])),
      ...clients.map((client) => site().lan.addHost(client, client)),
    ]);
    const mac = macIn(result);
    assert.deepEqual([await copies(mac, 53), await copies(mac, 54), await copies(mac, 51)], [2, 1, 1]);
    assert.match(addressIn(result), /^192\.168\.2\./);
    for (const host of hosts) {
      const had = await host.state();
      assert.ok(had?.address);
      assert.equal(await copies(had.mac, 53), 2);
    }
  });

  test('who asks for 51 and 54 gets them twice: the first one counts, and the log says where they differ', async () => {
    const { result, attachment } = await site().add(networkOf([macvlan({}, { request: ['51', '54'] })]));
    const mac = macIn(result);
    assert.deepEqual([await copies(mac, 53), await copies(mac, 54), await copies(mac, 51)], [2, 2, 2]);
    const lease = (await site().daemonLeases()).find(
      ({ containerId }) => containerId === attachment.containerId,
    );
    assert.equal(lease?.['server'], ROUTER);
    assert.ok(Number(lease?.['expiresInSeconds']) <= LEASE_SECONDS, 'of 600 s and 3600 s the first');
    const log = await readFile(site().daemon.logFile, 'utf8');
    for (const name of ['dhcp-message-type', 'dhcp-lease-time']) {
      assert.ok(
        log.includes(`"${name}: sent more than once with different values: the first one counts"`),
        log,
      );
    }
    assert.ok(!log.includes('dhcp-server-identifier: '), 'equal copies are not worth a word');
  });
});
