import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ipv4, ipv4FromNumber, ipv4ToNumber, type Ipv4 } from '../../../src/base/ipv4.ts';
import { cidrContains, type Cidr } from '../../../src/base/cidr.ts';
import { encodeRequest } from '../../../src/wire/netlink/message.ts';
import { countChains, containsAttributes, isTableAsSpecified } from '../../../src/wire/nftables/compare.ts';
import { cmp, counter, meta, verdict } from '../../../src/wire/nftables/expression.ts';
import { intervalElements } from '../../../src/wire/nftables/intervals.ts';
import { concatenation, INET_SERVICE, IPV4_ADDR } from '../../../src/wire/nftables/packet.ts';
import { isSameTable, putTableRequests, type TableSpec } from '../../../src/wire/nftables/table.ts';

const PROTOCOL = 1;
const SPEC: TableSpec = {
  family: 'netdev',
  name: 'lh',
  sets: [],
  chains: [
    {
      name: 'inb',
      hook: { number: 0, priority: 0, devices: ['eth0'] },
      rules: [[meta(PROTOCOL), cmp(1, Uint8Array.of(8, 0)), verdict({ to: 'accept' })]],
    },
  ],
};

test('a rule is encoded as nft(8) 1.0.6 encodes it', () => {
  // `meta protocol != ip accept`, as --debug=mnl shows the message, with the hosts byte order little-endian.
  const rule = putTableRequests(SPEC).at(-1);
  assert.ok(rule !== undefined);
  assert.equal(rule.op, 'NFT_MSG_NEWRULE netdev lh inb, rule 1');
  const wanted = [
    'a8000000060a010c010000000000000005000000',
    '070001006c68000008000200696e620084000480',
    // meta
    '24000180090001006d657461000000001400028008000200000000010800010000000001',
    // cmp
    '2c00018008000100636d700020000280080001000000000108000200000000010c0003800600010008000000',
    // immediate
    '300001800e000100696d6d6564696174650000001c0002800800010000000000100002800c0002800800010000000001',
  ].join('');
  const seen = encodeRequest({ ...rule, flags: 0xc00 }, 1).toHex();
  assert.equal(seen, wanted);
});

test('a key of several parts is described as nft(8) describes it', () => {
  const key = concatenation([IPV4_ADDR, IPV4_ADDR, INET_SERVICE, INET_SERVICE]);
  assert.deepEqual(key, { type: 0x001c734d, length: 16 });
});

function net(address: string, prefix: number): Cidr<Ipv4> {
  return { address: ipv4(address), prefix };
}

function shown(networks: readonly Cidr<Ipv4>[]): readonly string[] {
  return intervalElements(networks).map(
    ({ key, intervalEnd }) => `${[...key].join('.')}${intervalEnd === true ? ' end' : ''}`,
  );
}

test('networks that overlap or touch are one interval', () => {
  assert.deepEqual(shown([]), []);
  assert.deepEqual(shown([net('10.43.7.7', 16)]), ['10.43.0.0', '10.44.0.0 end']);
  assert.deepEqual(shown([net('10.44.0.0', 16), net('10.43.0.0', 16)]), ['10.43.0.0', '10.45.0.0 end']);
  assert.deepEqual(shown([net('10.0.0.0', 8), net('10.43.0.0', 16)]), ['10.0.0.0', '11.0.0.0 end']);
  assert.deepEqual(shown([net('0.0.0.0', 0)]), ['0.0.0.0']);
  assert.deepEqual(shown([net('255.255.255.255', 32)]), ['255.255.255.255']);
});

test('an address is in an interval if and only if it is in a network', () => {
  const address = fc.nat({ max: 0xffffffff }).map(ipv4FromNumber);
  const network = fc.record({ address, prefix: fc.nat({ max: 32 }) });
  fc.assert(
    fc.property(fc.array(network, { maxLength: 6 }), address, (networks, one) => {
      let inside = false;
      for (const { key, intervalEnd } of intervalElements(networks)) {
        const at = new DataView(key.buffer, key.byteOffset).getUint32(0);
        if (at > ipv4ToNumber(one)) break;
        inside = intervalEnd !== true;
      }
      assert.equal(
        inside,
        networks.some((candidate) => cidrContains(candidate, one)),
      );
    }),
  );
});

/** What a kernel would tell of our own request: the same attributes. */
function echoed(spec: TableSpec, message: string): readonly Uint8Array[] {
  return putTableRequests(spec)
    .filter(({ op }) => op.startsWith(`NFT_MSG_${message} `))
    .map(({ payload }) => payload.subarray(4));
}

function compare(spec: TableSpec, seen: TableSpec): boolean {
  const dump = {
    sets: [],
    chains: echoed(seen, 'NEWCHAIN'),
    rules: echoed(seen, 'NEWRULE'),
    elements: new Map(),
  };
  const result = isTableAsSpecified(spec, dump);
  assert.ok(result.ok);
  return result.value;
}

function withRules(...rules: TableSpec['chains'][number]['rules']): TableSpec {
  return { ...SPEC, chains: SPEC.chains.map((chain) => ({ ...chain, rules })) };
}

test('a table equals itself and nothing else', () => {
  const [rule = []] = SPEC.chains[0]?.rules ?? [];
  assert.equal(compare(SPEC, SPEC), true);
  assert.equal(compare(SPEC, withRules()), false);
  assert.equal(compare(SPEC, withRules(rule, rule)), false);
  assert.equal(compare(SPEC, withRules([...rule, counter()])), false);
  assert.equal(compare(SPEC, withRules([meta(2), ...rule.slice(1)])), false);
  assert.equal(compare(SPEC, { ...SPEC, chains: [] }), false);
  assert.equal(compare(SPEC, { ...SPEC, name: 'other' }), false);
});

test('a comment that is missing or another is another table', () => {
  const [, , made] = putTableRequests({ ...SPEC, comment: 'one' });
  const use = '0800030000000001';
  const payload = Uint8Array.fromHex(`${made?.payload.toHex()}${use}`);
  assert.deepEqual(isSameTable({ ...SPEC, comment: 'one' }, payload), { ok: true, value: true });
  assert.deepEqual(isSameTable({ ...SPEC, comment: 'two' }, payload), { ok: true, value: false });
  assert.deepEqual(isSameTable(SPEC, payload), { ok: true, value: false });
  assert.deepEqual(isSameTable({ ...SPEC, chains: [], comment: 'one' }, payload), { ok: true, value: false });
});

test('bytes that are no attributes are a problem and never a crash', () => {
  assert.throws(() => containsAttributes(new Uint8Array(0), Uint8Array.of(1, 0, 0, 0)), {
    name: 'NetlinkFormatError',
  });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      isSameTable(SPEC, bytes);
      countChains([bytes]);
      isTableAsSpecified(SPEC, { sets: [], chains: [bytes], rules: [bytes], elements: new Map() });
    }),
  );
});
