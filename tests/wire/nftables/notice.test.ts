import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concat } from '../../../src/base/bytes.ts';
import { textAttr, u32Bytes } from '../../../src/wire/netlink/attributes.ts';
import { encodeRequest } from '../../../src/wire/netlink/message.ts';
import { nftRequest, NFTA_TABLE, type Family, type NftMessage } from '../../../src/wire/nftables/message.ts';
import { readNotices } from '../../../src/wire/nftables/notice.ts';

const PORT_ID = 4711;
const PORT_ID_AT = 12;

function notice(message: NftMessage, family: Family, table?: string): Uint8Array {
  const attributes = table === undefined ? [] : [textAttr(NFTA_TABLE, table)];
  const bytes = encodeRequest(nftRequest(message, family, '', { attributes }), 1);
  bytes.set(u32Bytes(PORT_ID), PORT_ID_AT);
  return bytes;
}

function read(...messages: readonly Uint8Array[]): ReturnType<typeof readNotices> {
  return readNotices(concat(messages), 'leasehold', ['inet', 'netdev']);
}

test('a transaction that touches our table, and its end with the sender', () => {
  assert.deepEqual(
    read(
      notice('NEWTABLE', 'inet', 'leasehold'),
      notice('NEWRULE', 'inet', 'leasehold'),
      notice('NEWGEN', 'inet'),
    ),
    [{ kind: 'touches' }, { kind: 'commit', portId: PORT_ID }],
  );
  assert.deepEqual(read(notice('DELSETELEM', 'netdev', 'leasehold')), [{ kind: 'touches' }]);
});

test('other tables, and names that begin alike, do not touch it', () => {
  assert.deepEqual(read(notice('NEWRULE', 'inet', 'leasehold2'), notice('NEWRULE', 'inet', 'lease')), []);
  assert.deepEqual(read(notice('NEWRULE', 'inet')), []);
});

test('a datagram that is cut short makes no sense, and none is a crash', () => {
  const whole = notice('NEWRULE', 'inet', 'leasehold');
  assert.equal(read(whole.subarray(0, whole.length - 4)), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      read(bytes);
    }),
  );
});
