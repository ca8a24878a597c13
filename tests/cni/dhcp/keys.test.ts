import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { JsonObject } from '../../../src/base/json.ts';
import { DHCP_KEYS, NO_KEYS, readDhcpKeys } from '../../../src/cni/dhcp/keys.ts';
import { CniError } from '../../../src/cni/spec/errors.ts';
import { refused } from './support.ts';

test('nothing said, and null, is nothing said', () => {
  assert.ok(Object.values(NO_KEYS).every((value) => value === undefined));
  assert.deepEqual(readDhcpKeys(Object.fromEntries(DHCP_KEYS.map((key) => [key, null])), 'x'), NO_KEYS);
  assert.deepEqual(readDhcpKeys({ clientId: '', other: 1 }, 'x'), NO_KEYS);
  assert.deepEqual(Object.keys(NO_KEYS).toSorted(), [...DHCP_KEYS].toSorted());
});

test('every key', () => {
  const read = readDhcpKeys(
    {
      clientId: 'pod',
      hostname: '',
      fqdn: { name: '{pod}', update: 'none' },
      send: { '60': 'lab', hostname: 'x' },
      request: ['ntp-servers', 42, { option: '66' }],
      servers: ['192.168.2.1'],
      relays: ['192.168.2.254'],
      conflictCheck: 'before',
      ipv6Only: true,
      broadcast: 'never',
      rapidCommit: false,
      forceRenew: false,
    },
    'x',
  );
  assert.deepEqual(read, {
    clientId: { kind: 'pod' },
    hostname: [],
    fqdn: { name: [{ placeholder: 'pod' }], update: 'none' },
    send: new Map([
      [60, '6c6162'],
      [12, '78'],
    ]),
    request: { codes: [42, 42, 66], withDefaults: true },
    servers: ['192.168.2.1'],
    relays: ['192.168.2.254'],
    conflictCheck: 'before',
    ipv6Only: true,
    broadcast: 'never',
    rapidCommit: false,
    forceRenew: false,
  });
  assert.deepEqual(readDhcpKeys({ fqdn: '{node}.lan' }, 'x').fqdn, {
    name: [{ placeholder: 'node' }, { text: '.lan' }],
    update: 'server',
  });
});

const many = Array.from({ length: 65 }, () => '1.2.3.4');
const bad: readonly (readonly [JsonObject, RegExp])[] = [
  [{ clientId: 5 }, /^ipam\.clientId: expected string, not 5/],
  [{ clientId: 'contaner' }, /^ipam\.clientId: .*did you mean "container"/],
  [{ hostname: '{pods}' }, /^ipam\.hostname: .*did you mean \{pod\}/],
  [{ fqdn: '{pods}' }, /^ipam\.fqdn: /],
  [{ fqdn: 5 }, /^ipam\.fqdn: must be a name, or an object/],
  [{ fqdn: {} }, /^ipam\.fqdn\.name: is missing/],
  [{ fqdn: { name: '{x}' } }, /^ipam\.fqdn\.name: "\{x\}" is no placeholder/],
  [{ fqdn: { name: 'x', update: 'client' } }, /^ipam\.fqdn\.update: .*"server" \| "reverse" \| "none"/],
  [{ fqdn: { name: 'x', updates: 'none' } }, /^ipam\.fqdn\.updates: /],
  [{ send: [] }, /^ipam\.send: must be an object/],
  [{ send: { 'host-nmae': 'x' } }, /^ipam\.send\.host-nmae: .*did you mean "host-name"/],
  [{ send: { '0': 'x' } }, /^ipam\.send\.0: .*1 to 254/],
  [{ send: { '53': { u8: 1 } } }, /^ipam\.send\.53: dhcp-message-type is set by the exchange itself/],
  [{ send: { 'client-id': 'x' } }, /^ipam\.send\.client-id: is not sent from here: write "clientId"/],
  [{ send: { '12': 'x', hostname: 'y' } }, /^ipam\.send\.hostname: host-name is there already, as 12/],
  [{ send: { '42': { u8: 1 } } }, /^ipam\.send\.42: "u8" does not fit: ntp-servers takes/],
  [{ request: 'ntp-servers' }, /^ipam\.request: /],
  [{ request: ['ntp-serverz'] }, /^ipam\.request\[0\]: .*did you mean "ntp-server/],
  [{ request: [42, 300] }, /^ipam\.request\[1\]: .*1 to 254/],
  [{ request: [1.5] }, /^ipam\.request\[0\]: /],
  [{ request: [null] }, /^ipam\.request\[0\]: must be the name or code/],
  [{ request: [{ option: 3 }] }, /^ipam\.request\[0\]\.option: expected string, not 3/],
  [{ request: [{ option: '3', skipDefault: 1 }] }, /^ipam\.request\[0\]\.skipDefault: /],
  [{ request: Array.from({ length: 1025 }, () => 1) }, /^ipam\.request: has more than 1024 entries/],
  [{ servers: '1.2.3.4' }, /^ipam\.servers: /],
  [{ servers: ['1.2.3.4', 'router'] }, /^ipam\.servers\[1\]: "router" is not the IPv4 address of a server/],
  [{ servers: ['255.255.255.255'] }, /^ipam\.servers\[0\]: /],
  [{ servers: many }, /^ipam\.servers: has more than 64/],
  [{ relays: ['0.0.0.0'] }, /^ipam\.relays\[0\]: "0\.0\.0\.0" is not the IPv4 address of a relay/],
  [{ relays: many }, /^ipam\.relays: has more than 64/],
  [{ conflictCheck: 'on' }, /^ipam\.conflictCheck: expected \("off" \| "background" \| "before"\), not "on"/],
  [{ ipv6Only: 'yes' }, /^ipam\.ipv6Only: expected boolean/],
  [{ broadcast: true }, /^ipam\.broadcast: .*"auto"/],
  [{ rapidCommit: 1 }, /^ipam\.rapidCommit: expected boolean/],
];

test('what cannot be used is refused with its key', () => {
  for (const [raw, message] of bad) refused(() => readDhcpKeys(raw, 'ipam'), message, raw);
});

test('any JSON under any key: keys, or a CNI error', () => {
  const raw = fc.dictionary(fc.constantFrom(...DHCP_KEYS), fc.jsonValue());
  fc.assert(
    fc.property(raw, (json) => {
      try {
        readDhcpKeys(JSON.parse(JSON.stringify(json)) as JsonObject, 'x');
      } catch (error) {
        assert.ok(error instanceof CniError, String(error));
      }
    }),
  );
});
