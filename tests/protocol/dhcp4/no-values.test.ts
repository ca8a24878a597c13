import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, IPV4_BROADCAST, ipv4 } from '../../../src/base/ipv4.ts';
import { instant } from '../../../src/base/time.ts';
import { type Lease4, leaseFromAck } from '../../../src/protocol/dhcp4/lease.ts';
import { MOST_REMARKS } from '../../../src/protocol/dhcp4/option-reader.ts';
import { parseDhcp4, emitDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import { allOptions, OPTION_OVERLOAD } from '../../../src/wire/dhcp4/options.ts';
import { ADDRESS, net, reply, type Reply, SERVER } from './messages.ts';

function lease(how: Reply): Lease4 {
  const result = leaseFromAck(reply('DHCPACK', 1, how), SERVER, instant(0), []);
  assert.ok(result.ok, result.ok ? '' : result.error);
  return result.value;
}

/** What no host of 192.168.1.0/24 can have as an address to be reached at. */
const NOBODY = [
  IPV4_ANY,
  IPV4_BROADCAST,
  ipv4('0.1.2.3'),
  ipv4('127.0.0.1'),
  ipv4('127.0.0.53'),
  ipv4('224.0.0.251'),
  ipv4('240.0.0.1'),
  ipv4('192.168.1.0'),
  ipv4('192.168.1.255'),
];

describe('an address that is none', () => {
  for (const address of NOBODY) {
    test(`${address} is no DNS server, no router, and no router of a route`, () => {
      const good = ipv4('192.168.1.53');
      const got = lease({
        options: {
          'domain-name-servers': [address, good, address],
          routers: [address, SERVER],
          'static-routes': [{ destination: ipv4('10.0.0.0'), router: address }],
        },
      });
      assert.deepEqual(got.dnsServers, [good]);
      assert.deepEqual(got.remarks, [`domain-name-servers: left out ${address}: no address of a server`]);
      assert.deepEqual(got.routers, [SERVER]);
      assert.deepEqual(got.routes, [{ dst: net('0.0.0.0/0'), router: SERVER }]);
      const destination = net('10.0.0.0/8');
      const { routes } = lease({
        options: { 'rfc3442-classless-static-routes': [{ destination, router: address }] },
      });
      // RFC 3442: 0.0.0.0 means "on the link" there.
      assert.deepEqual(routes, address === IPV4_ANY ? [{ dst: destination, router: undefined }] : []);
    });
  }

  test('a list of nothing else is no list', () => {
    const got = lease({ options: { 'domain-name-servers': NOBODY, routers: [...NOBODY, ...NOBODY] } });
    assert.deepEqual([got.dnsServers, got.routers, got.routes], [[], [], []]);
    assert.equal(got.refusedRoutes.length, NOBODY.length);
    assert.deepEqual(got.remarks, [
      'domain-name-servers: left out 0.0.0.0, 255.255.255.255, 0.1.2.3, 127.0.0.1 and 5 more: no address of a server',
    ]);
  });

  test('addresses that look strange and are servers stay', () => {
    // The pod itself, a resolver on the node, one of a cloud, and the ends of other networks than the pod's.
    const servers = [ADDRESS, '169.254.20.10', '169.254.169.253', '10.0.0.255', '192.168.2.0'].map((text) =>
      ipv4(text),
    );
    const got = lease({ options: { 'domain-name-servers': servers } });
    assert.deepEqual([got.dnsServers, got.remarks], [servers, []]);
  });

  test('a list that was sent twice names each once', () => {
    const servers = [SERVER, ipv4('1.1.1.1')];
    const got = lease({
      options: { 'domain-name-servers': [...servers, ...servers], routers: [SERVER, SERVER] },
    });
    assert.deepEqual([got.dnsServers, got.routers, got.remarks], [servers, [SERVER], []]);
  });
});

describe('domain and search list', () => {
  const rows: readonly (readonly [
    string,
    readonly string[] | undefined,
    string | undefined,
    readonly string[],
  ])[] = [
    ['lan.example', undefined, 'lan.example', []],
    ['lan.example.', undefined, 'lan.example', []],
    ['lan.example corp.example', undefined, 'lan.example', ['lan.example', 'corp.example']],
    [
      'lan.example, corp.example;x.example',
      undefined,
      'lan.example',
      ['lan.example', 'corp.example', 'x.example'],
    ],
    ['lan.example corp.example', ['a.example'], 'lan.example', ['a.example']],
    ['lan.example', ['a.example', 'A.example', 'b.example'], 'lan.example', ['a.example', 'b.example']],
    ['lan.example LAN.example', undefined, 'lan.example', ['lan.example']],
    [' lan.example ', undefined, 'lan.example', []],
  ];
  for (const [text, search, domain, expected] of rows) {
    test(`"${text}" and ${search?.join(' ') ?? 'no search list'}`, () => {
      const options = { 'domain-name': text, ...(search === undefined ? {} : { 'domain-search': search }) };
      const got = lease({ options });
      assert.deepEqual([got.domainName, got.domainSearch], [domain, expected]);
      assert.deepEqual([got.malformed, got.remarks], [[], []]);
    });
  }

  test('what is no name is left out, and told', () => {
    const got = lease({ options: { 'domain-name': '$(id) lan.example ndots:15 b.example (none)' } });
    assert.deepEqual([got.domainName, got.domainSearch], ['lan.example', ['lan.example', 'b.example']]);
    assert.deepEqual(got.remarks, ['domain-name: left out what is no domain name (3 of 5)']);
  });

  test('an option 15 without any name is malformed', () => {
    for (const text of ['(none)', '.', ' ', 'a..b', 'b\u00fccher']) {
      const got = lease({ options: { 'domain-name': text } });
      assert.deepEqual(
        [got.domainName, got.domainSearch, got.malformed],
        [undefined, [], ['domain-name']],
        text,
      );
    }
  });

  test('one bad name in option 119 leaves the others, and is told', () => {
    const raw = { 'domain-search': [1, 97, 0, 3, 98, 32, 98, 0, 1, 99, 0] };
    const got = lease({ raw });
    assert.deepEqual(got.domainSearch, ['a', 'c']);
    assert.deepEqual(got.remarks, [
      'domain-search: left out a name: a label has characters that no host name has',
    ]);
  });
});

describe('options that contradict themselves', () => {
  const first = reply('DHCPACK', 1);

  /** The bytes of a good ACK, with these options behind its own. */
  function withMore(more: readonly number[]): Lease4 {
    const bytes = emitDhcp4(first);
    const end = bytes.lastIndexOf(255);
    const read = parseDhcp4(Uint8Array.from([...bytes.subarray(0, end), ...more, 255]));
    assert.ok(read.ok);
    const result = leaseFromAck(read.value, SERVER, instant(0), []);
    assert.ok(result.ok);
    return result.value;
  }

  test('the first one counts, and is told by name', () => {
    const got = withMore([51, 4, 0, 0, 0, 9, 54, 4, 192, 168, 1, 9]);
    assert.equal(got.times?.expiresAt, 3_600_000);
    assert.equal(got.serverId, SERVER);
    const what = 'sent more than once with different values: the first one counts';
    assert.deepEqual(got.remarks, [`dhcp-lease-time: ${what}`, `dhcp-server-identifier: ${what}`]);
  });

  test('equal ones are not worth a word', () => {
    assert.deepEqual(withMore([51, 4, 0, 0, 0x0e, 0x10, 54, 4, 192, 168, 1, 1]).remarks, []);
  });

  test('a flood of them is bounded', () => {
    const options = allOptions().filter(({ code }) => code !== OPTION_OVERLOAD);
    const twice = options.flatMap(({ code, codec: { size = 0 } }) =>
      size === 0 ? [] : [1, 2].flatMap((byte) => [code, size, ...new Uint8Array(size).fill(byte)]),
    );
    assert.equal(withMore(twice).remarks.length, MOST_REMARKS);
  });
});
