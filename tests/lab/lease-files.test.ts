import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDnsmasqLeases, parseKeaLeases } from '../../src/lab/lease-files.ts';

const NOW = 1000;
const MAC = '02:00:00:00:00:01';

test('dnsmasq: current leases with name and client-id, others passed over', () => {
  const text = [
    `2000 ${MAC} 10.0.0.5 laptop 01:${MAC}`,
    `0 02:00:00:00:00:02 10.0.0.6 * *`,
    `999 02:00:00:00:00:03 10.0.0.7 late *`,
    'duid 00:01:00:01',
    'half a li',
    '',
  ].join('\n');
  assert.deepEqual(parseDnsmasqLeases(text, NOW), [
    { ip: '10.0.0.5', mac: MAC, hostname: 'laptop', clientId: `01:${MAC}`, expiresAt: 2000 },
    {
      ip: '10.0.0.6',
      mac: '02:00:00:00:00:02',
      hostname: undefined,
      clientId: undefined,
      expiresAt: undefined,
    },
  ]);
  assert.deepEqual(parseDnsmasqLeases('', NOW), []);
});

const HEAD =
  'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context';

test('Kea: the last row of an address holds', () => {
  const text = [
    HEAD,
    `10.0.0.5,${MAC},01:02,600,1500,1,0,0,web,0,`,
    `10.0.0.5,${MAC},01:02,600,2000,1,0,0,a&#x2cb,0,`,
    // given back: lifetime 0
    `10.0.0.6,${MAC},,600,2000,1,0,0,,0,`,
    `10.0.0.6,${MAC},,0,1400,1,0,0,,0,`,
    // declined, expired
    `10.0.0.7,,,600,2000,1,0,0,,1,`,
    `10.0.0.8,${MAC},,600,999,1,0,0,,0,`,
    // given back, and given out again
    `10.0.0.9,${MAC},,0,1400,1,0,0,,0,`,
    `10.0.0.9,${MAC},,4294967295,2000,1,0,0,,0,`,
    `10.0.0.10,02:0`,
  ].join('\n');
  assert.deepEqual(parseKeaLeases(text, NOW), [
    { ip: '10.0.0.5', mac: MAC, hostname: 'a,b', clientId: '01:02', expiresAt: 2000 },
    { ip: '10.0.0.9', mac: MAC, hostname: undefined, clientId: undefined, expiresAt: undefined },
  ]);
  assert.deepEqual(parseKeaLeases('', NOW), []);
});

test('Kea: columns go by name', () => {
  const text = `hwaddr,address,state,expire,valid_lifetime,pool_id\n${MAC},10.0.0.5,0,2000,600,0\n`;
  assert.deepEqual(
    parseKeaLeases(text, NOW).map(({ ip, mac }) => [ip, mac]),
    [['10.0.0.5', MAC]],
  );
});
