import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { clientFqdn, userClasses, vendorData } from '../../../src/wire/dhcp4/codec-class.ts';
import { domainName, domainNames, searchList, sipServers } from '../../../src/wire/dhcp4/codec-name.ts';
import { hex, reasonOf, valueOf } from './results.ts';

const label = (text: string): Uint8Array => concat([Uint8Array.of(text.length), utf8(text)]);
const ROOT = Uint8Array.of(0);
const pointer = (to: number): Uint8Array => Uint8Array.of(0xc0 | (to >> 8), to & 0xff);

describe('domain-search', () => {
  test('the example of RFC 3397 section 2: a pointer into the first name', () => {
    const first = concat([label('eng'), label('apple'), label('com'), ROOT]);
    const bytes = concat([first, label('marketing'), pointer(4)]);
    assert.deepEqual(valueOf(searchList.decode(bytes)), ['eng.apple.com', 'marketing.apple.com']);
    assert.deepEqual(searchList.encode(['eng.apple.com', 'marketing.apple.com']), bytes);
  });

  test('what is sent is compressed wherever it can be (RFC 3397 section 2), and reads the same', () => {
    const word = fc.constantFrom('a', 'b', 'A', 'lan', 'home-1', 'x'.repeat(63));
    const names = fc.array(
      fc.array(word, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.')),
      { minLength: 1, maxLength: 64 },
    );
    fc.assert(
      fc.property(names, (list) => {
        const bytes = searchList.encode(list);
        assert.deepEqual(valueOf(searchList.decode(bytes)), list);
        // Each name that was there before is a pointer, two bytes, and no label sequence is written twice.
        const again = searchList.encode([...list, ...list]);
        assert.equal(again.length, bytes.length + 2 * list.length);
        assert.ok(bytes.length <= domainNames.encode(list).length);
      }),
      { numRuns: 1000 },
    );
    assert.deepEqual(searchList.encode(['a.lan', 'lan', 'b.a.lan']), hex('0161036c616e00 c002 0162c000'));
  });

  test('whatever is wrong with one of the names, the others stay, also those that point into it', () => {
    const good = fc.array(fc.constantFrom('a.lan', 'b.example', 'c'), { minLength: 1, maxLength: 4 });
    const anyLabel = fc
      .uint8Array({ minLength: 1, maxLength: 63 })
      .map((text) => concat([[text.length], text].map((part) => Uint8Array.from(part))));
    const bad = fc.oneof(
      fc.array(anyLabel, { maxLength: 3 }).map((labels) => concat([...labels, label(' '), ROOT])),
      fc.constant(ROOT),
      fc.integer({ min: 1000, max: 0x3fff }).map((to) => concat([label('x'), pointer(to)])),
      fc.constant(concat([...Array.from({ length: 5 }, () => label('y'.repeat(63))), ROOT])),
    );
    fc.assert(
      fc.property(good, bad, good, (before, wrong, after) => {
        const read = searchList.decode(
          concat([domainNames.encode(before), wrong, domainNames.encode(after), label('z'), pointer(0)]),
        );
        assert.deepEqual(valueOf(read), [...before, ...after, `z.${before[0]}`]);
        assert.ok(read.ok && read.remark?.startsWith('left out a name: ') === true);
        const twice = searchList.decode(concat([wrong, domainNames.encode(after), wrong]));
        assert.deepEqual(valueOf(twice), after);
        assert.ok(twice.ok && twice.remark?.startsWith('left out 2 names: ') === true);
      }),
      { numRuns: 1000 },
    );
  });

  test('pointers to pointers work, loops do not exist', () => {
    const chain = concat([label('a'), ROOT, label('b'), pointer(0), label('c'), pointer(3)]);
    assert.deepEqual(valueOf(searchList.decode(chain)), ['a', 'b.a', 'c.b.a']);
    for (const bad of [pointer(0), concat([label('a'), pointer(0)]), pointer(9)]) {
      assert.match(reasonOf(searchList.decode(bad)), /does not point backwards/);
    }
    assert.match(reasonOf(searchList.decode(hex('c0'))), /may not be there/);
  });

  test('one bad name costs itself, not the list, and is told', () => {
    const bad: readonly (readonly [string, Uint8Array, RegExp])[] = [
      ['characters of no host name', concat([label('a b'), label('lan'), ROOT]), /characters/],
      ['empty', ROOT, /an empty name/],
      ['a pointer to nowhere', concat([label('x'), pointer(200)]), /does not point backwards/],
      ['too long', concat([...Array.from({ length: 128 }, () => label('a')), ROOT]), /too long/],
    ];
    for (const [what, name, reason] of bad) {
      for (const bytes of [
        concat([label('a'), ROOT, name, label('b'), ROOT]),
        concat([label('a'), ROOT, label('b'), ROOT, name]),
        concat([name, label('a'), ROOT, label('b'), ROOT]),
      ]) {
        const read = searchList.decode(bytes);
        assert.deepEqual(valueOf(read), ['a', 'b'], what);
        assert.ok(read.ok && reason.test(read.remark ?? ''), what);
      }
    }
    assert.deepEqual(searchList.decode(concat([label('a'), ROOT])), { ok: true, value: ['a'] });
  });

  test('where nobody can tell how a name ends, the names before it count', () => {
    for (const rest of [label('b'), hex('0362'), hex('4062'), hex('8062'), hex('c0')]) {
      const read = searchList.decode(concat([label('a'), ROOT, rest]));
      assert.deepEqual(valueOf(read), ['a']);
      assert.ok(read.ok && read.remark !== undefined);
    }
  });

  test('what is cut off, empty, too long or no host name has a reason', () => {
    const reasons: readonly (readonly [Uint8Array, RegExp])[] = [
      [new Uint8Array(0), /no name/],
      [ROOT, /an empty name/],
      [label('a'), /cut off/],
      [hex('0361'), /cut off/],
      [hex('4061'), /too long/],
      [concat([...Array.from({ length: 128 }, () => label('a')), ROOT]), /too long/],
      [concat([label('a b'), ROOT]), /characters/],
      [concat([label('a\n'), ROOT]), /characters/],
      [concat([label('a.b'), ROOT]), /characters/],
      [concat(Array.from({ length: 65 }, () => ROOT)), /an empty name/],
    ];
    for (const [bytes, reason] of reasons) assert.match(reasonOf(searchList.decode(bytes)), reason);
  });

  test('a small option cannot become a large list', () => {
    const long = concat([...Array.from({ length: 120 }, () => label('a')), ROOT]);
    const bomb = concat([long, ...Array.from({ length: 600 }, () => pointer(0))]);
    const read = searchList.decode(bomb);
    assert.equal(valueOf(read).length, 64);
    assert.ok(read.ok && /more than 64 names/.test(read.remark ?? ''));
  });

  test('decode never throws', () => {
    const bytes = fc.array(fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 97, 0xc0)), { maxLength: 60 });
    fc.assert(
      fc.property(bytes, (list) => {
        const names = searchList.decode(Uint8Array.from(list));
        if (names.ok)
          assert.deepEqual(valueOf(searchList.decode(searchList.encode(names.value))), names.value);
      }),
      { numRuns: 2000 },
    );
  });

  test('configuration', () => {
    assert.deepEqual(valueOf(searchList.parse('home.example., lan')), ['home.example', 'lan']);
    assert.match(reasonOf(searchList.parse('')), /at least one/);
    assert.match(reasonOf(searchList.parse('a..b')), /"a\.\.b" is not a domain name/);
    assert.match(reasonOf(searchList.parse(`${'a'.repeat(64)}.b`)), /not a domain name/);
    assert.match(reasonOf(searchList.parse(Array.from({ length: 130 }, () => 'a').join('.'))), /longer/);
  });
});

describe('other names', () => {
  test('are not compressed', () => {
    const bytes = concat([label('a'), ROOT, label('b'), pointer(0)]);
    const read = domainNames.decode(bytes);
    assert.deepEqual(read, {
      ok: true,
      value: ['a'],
      remark: 'left out a name: a compression pointer that may not be there',
    });
    assert.match(reasonOf(domainName.decode(concat([label('a'), ROOT, label('b'), ROOT]))), /more than one/);
    assert.equal(valueOf(domainName.decode(concat([label('lost'), label('example'), ROOT]))), 'lost.example');
  });

  test('SIP servers come as names or as addresses (RFC 3361)', () => {
    assert.deepEqual(valueOf(sipServers.decode(hex('01 c0a80101'))), {
      by: 'address',
      addresses: ['192.168.1.1'],
    });
    const names = concat([Uint8Array.of(0), label('sip'), label('example'), ROOT]);
    assert.deepEqual(valueOf(sipServers.decode(names)), { by: 'name', names: ['sip.example'] });
    assert.match(reasonOf(sipServers.decode(hex('02 c0a80101'))), /encoding 2/);
    assert.match(reasonOf(sipServers.decode(hex(''))), /empty/);
    assert.deepEqual(valueOf(sipServers.parse('sip.example')), { by: 'name', names: ['sip.example'] });
    assert.deepEqual(valueOf(sipServers.parse('1.2.3.4')), { by: 'address', addresses: ['1.2.3.4'] });
  });
});

describe('client FQDN', () => {
  test('a name with a trailing dot is rooted, one without is partial (RFC 4702 2.3)', () => {
    const wire = hex('05 00 00 03706f64 046c616e32 00');
    const full = {
      serverUpdates: true,
      overridden: false,
      encoded: true,
      noUpdates: false,
      name: 'pod.lan2.',
    };
    assert.deepEqual(valueOf(clientFqdn.decode(wire)), full);
    assert.deepEqual(clientFqdn.encode(full), wire);
    const partial = valueOf(clientFqdn.decode(hex('04 ff ff 03706f64')));
    assert.equal(partial.name, 'pod');
    assert.deepEqual(clientFqdn.encode(partial), hex('04 00 00 03706f64'));
  });

  test('ASCII, and what is wrong', () => {
    assert.equal(valueOf(clientFqdn.decode(hex('03 ff ff 706f64'))).name, 'pod');
    assert.match(reasonOf(clientFqdn.decode(hex('0100'))), /2 bytes/);
    assert.match(reasonOf(clientFqdn.decode(hex('04 0000 03706f64 00 01'))), /bytes after the name/);
    assert.match(reasonOf(clientFqdn.decode(hex('00 0000 0a'))), /control or format characters/);
    assert.deepEqual(valueOf(clientFqdn.parse('pod.lan')).name, 'pod.lan');
    assert.match(reasonOf(clientFqdn.parse('pod lan')), /not a domain name/);
  });
});

describe('classes and vendors', () => {
  test('user classes (RFC 3004)', () => {
    assert.deepEqual(valueOf(userClasses.decode(hex('0161 026262'))), [utf8('a'), utf8('bb')]);
    assert.match(reasonOf(userClasses.decode(utf8('iPXE'))), /cut off/);
    assert.match(reasonOf(userClasses.decode(hex('0161 00'))), /empty class/);
    assert.match(reasonOf(userClasses.decode(hex(''))), /no class/);
    assert.equal(userClasses.format(valueOf(userClasses.parse('a, 0x6262'))), '0x61, 0x6262');
    assert.match(reasonOf(userClasses.parse('0x')), /has 0 bytes/);
    assert.match(reasonOf(userClasses.parse('x'.repeat(256))), /has 256 bytes/);
  });

  test('vendor data (RFC 3925)', () => {
    assert.deepEqual(valueOf(vendorData.decode(hex('ffffffff 02 aabb 000009bf 00'))), [
      { enterprise: 4294967295, data: hex('aabb') },
      { enterprise: 2495, data: hex('') },
    ]);
    assert.match(reasonOf(vendorData.decode(hex('00000001'))), /cut off/);
    assert.match(reasonOf(vendorData.decode(hex('00000001 02 aa'))), /data of the last vendor is cut off/);
    assert.match(reasonOf(vendorData.decode(hex(''))), /no vendor/);
    assert.deepEqual(valueOf(vendorData.parse('2495=0xaa')), [{ enterprise: 2495, data: hex('aa') }]);
    for (const bad of ['2495', '4294967296=a', '=a', '']) assert.equal(vendorData.parse(bad).ok, false, bad);
  });
});
