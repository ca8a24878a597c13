import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { macIn, macvlan, networkOf, useSite } from './support/site.ts';

const CODES = [224, 225, 226, 227, 228, 229] as const;
const VALUE_BYTES = 250;
const VALUE = Array.from({ length: VALUE_BYTES }, () => '61').join(':');

/** IP, UDP, the fixed fields with the cookie, and End. */
const AROUND_BYTES = 20 + 8 + 240 + 1;
const OPTION_HEAD_BYTES = 2;

describe('a real dnsmasq that has more to say than fits', { skip: NEEDS_ROOT }, () => {
  const site = useSite({
    server: { kind: 'dnsmasq', lines: CODES.map((code) => `dhcp-option-force=${code},${VALUE}`) },
  });

  /** Bytes of the packet of the last ACK to a client, headers included, by the options in dnsmasq's log. */
  async function packetSize(mac: string): Promise<{ readonly bytes: number; readonly values: number }> {
    const log = await site().serverLog();
    const xid = new RegExp(`(\\d+) DHCPACK\\(br0\\) \\S+ ${mac}`).exec(log)?.[1];
    assert.ok(xid, `an ACK to ${mac}`);
    const answer = log.split(`${xid} next server:`).at(-1) ?? '';
    const sizes = [...answer.matchAll(new RegExp(`${xid} sent size: *(\\d+) option:`, 'g'))].map(([, size]) =>
      Number(size),
    );
    const options = sizes.reduce((sum, size) => sum + OPTION_HEAD_BYTES + size, 0);
    return { bytes: AROUND_BYTES + options, values: sizes.filter((size) => size === VALUE_BYTES).length };
  }

  for (const [mtu, values] of [
    [1500, 4],
    [1000, 2],
    [576, 0],
  ] as const) {
    test(`keeps to the ${mtu} bytes of option 57, headers included: the first answer arrives whole`, async () => {
      const added = await site().add(networkOf([macvlan({ mtu })]));
      const size = await packetSize(macIn(added.result));
      assert.ok(size.bytes <= mtu, `${size.bytes} bytes`);
      assert.equal(size.values, values);
      const lease = (await site().daemonLeases()).find((one) => one['mac'] === macIn(added.result));
      assert.deepEqual(lease?.['without'], [], 'nothing had to be left out to be answered');
      await site().del(added);
    });
  }
});
