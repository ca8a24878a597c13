import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { readOffer } from '../../src/doctor/offer.ts';
import { reply, SERVER } from '../protocol/dhcp4/messages.ts';

test('a router that can be none is not shown', () => {
  const routers = ['0.0.0.0', '255.255.255.255', '127.0.0.1', '192.168.1.1'].map((text) => ipv4(text));
  const offer = readOffer(reply('DHCPOFFER', 1, { options: { routers } }), SERVER);
  assert.deepEqual(offer?.routers, [SERVER]);
});
