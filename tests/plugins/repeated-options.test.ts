import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { type Attached, macIn, macvlan, networkOf, ROUTER, useSite } from './support/site.ts';

const LEASE_SECONDS = 600;

/**
 * dnsmasq sends what is configured behind what it says anyway: to who lists it in option 55, or forced to everybody.
 * 0x02 goes as the four bytes of that text: of option 53 it would not take a number.
 */
const TWICE = {
  kind: 'dnsmasq',
  leaseSeconds: LEASE_SECONDS,
  dhcpOptions: [`54,${ROUTER}`],
  lines: ['dhcp-option-force=53,0x02', 'dhcp-option-force=51,3600'],
} as const;

describe('a real dnsmasq that repeats options', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: TWICE });

  /** The daemon's word on it. */
  async function leaseOf({ attachment }: Attached): Promise<JsonObject | undefined> {
    return (await site().daemonLeases()).find(({ containerId }) => containerId === attachment.containerId);
  }

  async function secondsLeft(added: Attached): Promise<number> {
    return Number((await leaseOf(added))?.['expiresInSeconds']);
  }

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

  test('the first copy counts, as it does for dhcpcd and udhcpc; 54 is there once, as nobody asks', async () => {
    const clients = ['udhcpc', 'dhcpcd'] as const;
    const [added] = await Promise.all([
      site().add(networkOf([macvlan()])),
      ...clients.map((client) => site().lan.addHost(client, client)),
    ]);
    const mac = macIn(added.result);
    assert.deepEqual([await copies(mac, 53), await copies(mac, 51), await copies(mac, 54)], [2, 2, 1]);
    assert.ok((await secondsLeft(added)) <= LEASE_SECONDS, 'of 600 s and 3600 s the first');
    for (const client of clients) {
      const log = await readFile(join(site().lan.folder, client, `${client}.log`), 'utf8');
      assert.match(log, /lease time 600\b|leased .* for 600 seconds/);
    }
    const log = await readFile(site().daemon.logFile, 'utf8');
    for (const name of ['dhcp-message-type', 'dhcp-lease-time']) {
      assert.ok(
        log.includes(`"${name}: sent more than once with different values: the first one counts"`),
        log,
      );
    }
  });

  test('who asks for 54 gets it twice: equal copies are one, without a word', async () => {
    const added = await site().add(networkOf([macvlan({}, { request: ['54'] })]));
    assert.equal(await copies(macIn(added.result), 54), 2);
    assert.equal((await leaseOf(added))?.['server'], ROUTER);
    const log = await readFile(site().daemon.logFile, 'utf8');
    assert.ok(!log.includes('dhcp-server-identifier: '), log);
  });
});
