import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { FQDN_UPDATES, fqdnOption, hostNameOption } from '../../../src/cni/identity/host-name.ts';
import { clientFqdn } from '../../../src/wire/dhcp4/codec-class.ts';

test('option 12 is the cleaned name; nothing where nothing is left', () => {
  assert.deepEqual(hostNameOption('my_pod'), utf8('my-pod'));
  assert.deepEqual(hostNameOption('web.shop.'), utf8('web.shop'));
  assert.equal(hostNameOption('--'), undefined);
  assert.equal(hostNameOption(''), undefined);
});

test('option 81: flags, two zero bytes, the name in wire form (RFC 4702 2)', () => {
  const web = '03776562';
  for (const [text, update, hex] of [
    // S and E; a single label is partial and has no root.
    ['web', 'server', `050000${web}`],
    ['web.', 'server', `050000${web}00`],
    ['web.lab', 'server', `050000${web}036c616200`],
    ['web.lab.', 'server', `050000${web}036c616200`],
    // E alone: the server writes the reverse entry.
    ['web', 'reverse', `040000${web}`],
    // N and E, and S must be 0.
    ['web', 'none', `0c0000${web}`],
  ] as const) {
    assert.equal(toHex(fqdnOption(text, update) ?? assert.fail(text)), hex);
  }
  assert.equal(fqdnOption('..', 'server'), undefined);
});

test('whatever the text, what is sent is read back as a name in wire form', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom(...FQDN_UPDATES), (text, update) => {
      const bytes = fqdnOption(text, update);
      if (bytes === undefined) return;
      const read = clientFqdn.decode(bytes);
      assert.ok(read.ok);
      const { overridden, encoded, serverUpdates, noUpdates } = read.value;
      assert.deepEqual(
        { overridden, encoded, serverUpdates, noUpdates },
        {
          overridden: false,
          encoded: true,
          serverUpdates: update === 'server',
          noUpdates: update === 'none',
        },
      );
    }),
  );
});
