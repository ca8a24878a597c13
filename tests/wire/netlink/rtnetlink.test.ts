import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { cidr } from '../../../src/base/cidr.ts';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { ipv6 } from '../../../src/base/ipv6.ts';
import { mac } from '../../../src/base/mac.ts';
import { addAddressRequest, decodeAddress, IFA_F_NOPREFIXROUTE } from '../../../src/wire/netlink/address.ts';
import { newLinkRequest, setLinkRequest } from '../../../src/wire/netlink/link-requests.ts';
import { decodeLink } from '../../../src/wire/netlink/link.ts';
import type { NetlinkRequest } from '../../../src/wire/netlink/message.ts';
import { addRouteRequest, deleteRouteRequest } from '../../../src/wire/netlink/route-requests.ts';
import { decodeRoute } from '../../../src/wire/netlink/route.ts';

/** Bytes in pieces that a reader can tell apart. */
function hex(...pieces: readonly string[]): string {
  return pieces.join('');
}

/** RTM_NEWLINK as Linux 6.18 sent it for a macvlan, without the attributes that are not read. */
const MACVLAN = hex(
  '000001000200000043100100000000000900030065746830000000000500100006000000080004007805000008002900',
  '000001000a00010002000000000700003c0012000c0001006d6163766c616e002c000200080001000400000006000200',
  '00000000080006000000000008000700e803000008000800e8030000080025000000000008000500020000000c000600',
  '6e6f717565756500',
);

/** RTM_NEWADDR, whole: 10.9.0.2/24 with an hour to live. */
const ADDRESS = hex(
  '0218000002000000080001000a090002080002000a090002080004000a0900ff09000300657468300000000008000800',
  '0000000014000600100e0000100e0000cc6d0400cc6d0400',
);

/** RTM_NEWROUTE, whole: a default route, and one with two next hops. */
const DEFAULT_ROUTE =
  '02000000fe0300010000000008000f00fe0000000800060064000000080005000a0900010800040002000000';
const MULTIPATH = hex(
  '02180000fe0300010000000008000f00fe000000080001000a0700002400090010000001020000000800',
  '05000a0900031000040002000000080005000a090004',
);

test('a link as the kernel sends it', () => {
  assert.deepEqual(decodeLink(Uint8Array.fromHex(MACVLAN)), {
    ok: true,
    value: {
      index: 2,
      name: 'eth0',
      mac: '02:00:00:00:00:07',
      mtu: 1400,
      up: true,
      running: true,
      lowerUp: true,
      operState: 'up',
      kind: 'macvlan',
      macvlanMode: 'bridge',
      bcQueueLen: 1000,
      masterIndex: 2,
      linkNetnsId: 0,
    },
  });
});

/** IFLA_IFALIAS as Linux 6.18 sends it: "leasehold: shim of eth0" with a NUL. */
const ALIAS = '1c0014006c65617365686f6c643a207368696d206f66206574683000';

test('a link has an alias where somebody gave it one', () => {
  const link = decodeLink(Uint8Array.fromHex(MACVLAN + ALIAS));
  assert.equal(link.ok && link.value.alias, 'leasehold: shim of eth0');
  // Without the NUL, which would become a part of it; empty takes it away.
  assert.equal(afterFamily(setLinkRequest({ index: 7, alias: 'mine' })).slice(24), '080014006d696e65');
  assert.equal(afterFamily(setLinkRequest({ index: 7, alias: '' })).slice(24), '04001400');
});

test('an address as the kernel sends it', () => {
  assert.deepEqual(decodeAddress(Uint8Array.fromHex(ADDRESS)), {
    ok: true,
    value: {
      index: 2,
      cidr: cidr('10.9.0.2/24'),
      broadcast: '10.9.0.255',
      scope: 0,
      flags: 0,
      preferredSecs: 3600,
      validSecs: 3600,
    },
  });
});

test('routes as the kernel sends them', () => {
  const common = { family: 4, table: 254, protocol: 3, scope: 0, type: 1, onlink: false };
  assert.deepEqual(decodeRoute(Uint8Array.fromHex(DEFAULT_ROUTE)), {
    ok: true,
    value: { ...common, dst: cidr('0.0.0.0/0'), gateway: '10.9.0.1', index: 2, metric: 100 },
  });
  assert.deepEqual(decodeRoute(Uint8Array.fromHex(MULTIPATH)), {
    ok: true,
    value: {
      ...common,
      dst: cidr('10.7.0.0/24'),
      nexthops: [
        { index: 2, gateway: '10.9.0.3', weight: 2, onlink: false },
        { index: 2, gateway: '10.9.0.4', weight: 1, onlink: true },
      ],
    },
  });
});

test('one message makes a macvlan with everything it needs', () => {
  const request = newLinkRequest({
    kind: 'macvlan',
    name: 'eth0',
    masterIndex: 5,
    netnsFd: 9,
    mac: mac('02:00:00:00:00:07'),
    mtu: 1400,
    mode: 'bridge',
    up: true,
  });
  assert.equal(request.op, 'RTM_NEWLINK eth0');
  assert.equal(
    request.payload.toHex(),
    hex(
      '00000000000000000100000001000000', // ifinfomsg: IFF_UP, and only that changes
      '090003006574683000000000', // IFLA_IFNAME
      '0a0001000200000000070000', // IFLA_ADDRESS
      '0800040078050000', // IFLA_MTU
      '08001c0009000000', // IFLA_NET_NS_FD
      '0800050005000000', // IFLA_LINK
      '1c001280', // IFLA_LINKINFO
      '0c0001006d6163766c616e00', // IFLA_INFO_KIND
      '0c0002800800010004000000', // IFLA_INFO_DATA with IFLA_MACVLAN_MODE
    ),
  );
});

/** The ifinfomsg from its index on, and the attributes. */
function afterFamily(request: NetlinkRequest): string {
  return request.payload.toHex().slice(8);
}

/** rtm_scope. */
function scopeOf(request: NetlinkRequest): number | undefined {
  return request.payload[6];
}

test('a change touches what it names and nothing else', () => {
  assert.equal(
    afterFamily(setLinkRequest({ index: 7, mtu: 1400 })),
    hex('07000000', '00000000', '00000000', '0800040078050000'),
  );
  assert.equal(afterFamily(setLinkRequest({ index: 7, up: false })), hex('07000000', '00000000', '01000000'));
  assert.equal(afterFamily(setLinkRequest({ index: 7, up: true })), hex('07000000', '01000000', '01000000'));
});

test('a route without a gateway ends on the link, one to be deleted matches any scope', () => {
  const dst = cidr('10.7.0.0/24');
  assert.equal(scopeOf(addRouteRequest({ dst, index: 2 })), 253);
  assert.equal(scopeOf(addRouteRequest({ dst, gateway: ipv4('10.0.0.1') })), 0);
  assert.equal(scopeOf(addRouteRequest({ dst: cidr('fd00::/64'), index: 2 })), 0);
  assert.equal(scopeOf(deleteRouteRequest({ dst })), 255);
});

const index = fc.integer({ min: 1, max: 0x7fffffff });
const u32 = fc.integer({ min: 0, max: 0xfffffffe });
const network = fc.oneof(
  fc.record({ address: fc.ipV4().map(ipv4), prefix: fc.nat(32) }, { noNullPrototype: true }),
  fc.record({ address: fc.ipV6().map(ipv6), prefix: fc.nat(128) }, { noNullPrototype: true }),
);

test('an address survives the way there and back', () => {
  fc.assert(
    fc.property(index, network, u32, u32, (link, net, validSecs, metric) => {
      const wanted = { index: link, cidr: net, scope: 253, flags: IFA_F_NOPREFIXROUTE, validSecs, metric };
      const read = decodeAddress(addAddressRequest(wanted).payload);
      assert.deepEqual(read, { ok: true, value: { ...wanted, preferredSecs: validSecs } });
    }),
  );
});

test('a route survives the way there and back', () => {
  fc.assert(
    fc.property(index, network, network, u32, fc.boolean(), (link, net, gateway, table, onlink) => {
      const wanted = { dst: net, gateway: gateway.address, index: link, table, onlink, mtu: 1280, metric: 5 };
      const read = decodeRoute(addRouteRequest(wanted).payload);
      assert.ok(read.ok);
      const { dst, family, scope, protocol, type, ...rest } = read.value;
      assert.deepEqual({ ...rest, dst: net }, wanted);
      assert.equal(dst.prefix, net.prefix);
      assert.deepEqual([scope, protocol, type], [0, 3, 1]);
      assert.equal(family, net.address.includes(':') ? 6 : 4);
    }),
  );
});

test('no bytes make a decoder throw or loop, cut and changed messages included', () => {
  const seeds = [MACVLAN, ADDRESS, DEFAULT_ROUTE, MULTIPATH].map((text) => Uint8Array.fromHex(text));
  const edit = fc.tuple(fc.nat(200), fc.nat(255));
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(edit, { maxLength: 6 }),
      fc.nat(200),
      (seed, edits, end) => {
        const bytes = seed.slice(0, end);
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        for (const decode of [decodeLink, decodeAddress, decodeRoute]) {
          const read = decode(bytes);
          if (!read.ok) assert.ok(['truncated', 'bad-length', 'missing'].includes(read.error.kind));
        }
      },
    ),
    { numRuns: 20_000 },
  );
});
