import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { fromHex, toHex, utf8 } from '../../../src/base/bytes.ts';
import { mac } from '../../../src/base/mac.ts';
import { clientIdOf, type ClientIdPolicy } from '../../../src/cni/identity/client-id.ts';
import { parseClientId } from '../../../src/cni/identity/client-id-key.ts';
import { type Attached, type IdentityScope, subjectOf } from '../../../src/cni/identity/subject.ts';
import { attachedAs, attachedPod, attachments, SCOPE, scopes } from './support.ts';

const MAC = mac('02:00:5e:10:00:01');
const DUID: ClientIdPolicy = { kind: 'duid' };
const POD: ClientIdPolicy = { kind: 'pod' };

function idOf(policy: ClientIdPolicy, attached: Attached, scope: IdentityScope = SCOPE): string {
  const { containerId, ifname } = attached;
  const key = { containerId, network: 'lan', ifname };
  return clientIdOf(policy, { key, subject: subjectOf(attached, scope), scope, mac: MAC });
}

function text(hex: string): string {
  const bytes = fromHex(hex) ?? assert.fail('hex');
  assert.equal(bytes[0], 0);
  return new TextDecoder().decode(bytes.subarray(1));
}

describe('what goes on the wire', () => {
  const web = attachedPod('shop', 'web-0');

  test('container: containerID/network/ifname behind a zero byte, cut at 254 bytes', () => {
    assert.equal(text(idOf({ kind: 'container' }, web)), 'c1/lan/eth0');
    const long = attachedAs({}, { containerId: 'c'.repeat(255) });
    assert.equal(text(idOf({ kind: 'container' }, long)), 'c'.repeat(254));
  });

  test('pod: a path that a person can read', () => {
    assert.equal(text(idOf(POD, web)), 'shop/web-0/eth0');
    assert.equal(text(idOf(POD, web, { ...SCOPE, cluster: 'home' })), 'home/shop/web-0/eth0');
    assert.equal(text(idOf(POD, { ...web, ifname: 'net1' })), 'shop/web-0/net1');
    assert.equal(text(idOf(POD, attachedAs({ K8S_POD_NAME: 'db_1' }))), '@n1/db_1/eth0');
    assert.equal(
      text(idOf(POD, attachedAs({ K8S_POD_NAME: 'a/b', K8S_POD_NAMESPACE: 'é' }))),
      '%C3%A9/a%2Fb/eth0',
    );
    assert.equal(text(idOf(POD, attachedAs({}))), 'c1/lan/eth0');
  });

  test('pod: what is too long ends in a hash, so that two long names are two', () => {
    const ids = ['a', 'b'].map((end) => idOf(POD, attachedPod('n'.repeat(63), `${'p'.repeat(252)}${end}`)));
    for (const id of ids) {
      assert.equal(id.length, 2 * 255);
      assert.match(text(id), /^n{63}\/p+~[0-9a-f]{16}$/);
    }
    assert.notEqual(ids[0], ids[1]);
  });

  test('mac: type 1 and the address', () => {
    assert.equal(idOf({ kind: 'mac' }, web), '0102005e100001');
  });

  test("duid: 255, IAID, DUID-UUID; the DUID is the pod's, the IAID the interface's", () => {
    const id = idOf(DUID, web);
    assert.match(id, /^ff[0-9a-f]{8}0004[0-9a-f]{12}8[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
    const other = idOf(DUID, { ...web, ifname: 'net1' });
    assert.equal(other.slice(10), id.slice(10));
    assert.notEqual(other.slice(2, 10), id.slice(2, 10));
    assert.equal(idOf(DUID, attachedPod('shop', 'web-0', 'c2'), { ...SCOPE, node: 'n2' }), id);
    assert.notEqual(idOf(DUID, attachedPod('shop', 'web-1')).slice(10), id.slice(10));
    assert.notEqual(idOf(DUID, attachedAs({})), idOf(DUID, attachedAs({}, { containerId: 'c2' })));
  });

  test('for any attachment: 2 to 255 bytes, the same again, and another one for another key', () => {
    fc.assert(
      fc.property(attachments, scopes, scopes, (attached, scope, other) => {
        for (const kind of ['container', 'pod', 'mac', 'duid'] as const) {
          const id = idOf({ kind }, attached, scope);
          assert.match(id, /^([0-9a-f]{2}){2,255}$/);
          assert.equal(idOf({ kind }, attached, { ...scope }), id);
        }
        if (scope.cluster !== other.cluster || scope.key !== other.key) {
          assert.notEqual(idOf(DUID, attached, scope), idOf(DUID, attached, other));
        }
      }),
    );
  });

  test('two pods have two identifiers', () => {
    fc.assert(
      fc.property(attachments, attachments, scopes, (a, b, scope) => {
        const [one, two] = [subjectOf(a, scope), subjectOf(b, scope)];
        fc.pre(one.kind === 'pod' && two.kind === 'pod');
        fc.pre(one.within.isWellFormed() && two.within.isWellFormed());
        const same = a.ifname === b.ifname && JSON.stringify(one) === JSON.stringify(two);
        assert.equal(idOf(POD, a, scope) === idOf(POD, b, scope), same);
      }),
    );
  });
});

describe('the key clientId', () => {
  test('policies, text and hex', () => {
    for (const [written, policy] of [
      ['container', { kind: 'container' }],
      ['pod', POD],
      ['mac', { kind: 'mac' }],
      ['duid', DUID],
      ['printer-gateway', { kind: 'bytes', hex: `00${toHex(utf8('printer-gateway'))}` }],
      ['0x0102', { kind: 'bytes', hex: '0102' }],
      ['0xFF00', { kind: 'bytes', hex: 'ff00' }],
    ] as const) {
      assert.deepEqual(parseClientId(written), { ok: true, value: policy });
    }
  });

  test('what cannot be meant is refused, with the way out', () => {
    for (const [written, message] of [
      [
        'conatiner',
        /is no policy: did you mean "container"\? An identifier of that very text is 0x00636f6e6174696e6572/,
      ],
      ['Pod', /did you mean "pod"/],
      ['{pod}', /takes no templates/],
      ['0x1', /even number of hex digits/],
      ['0x', /0 bytes, not 2 to 255/],
      ['0x01', /1 bytes, not 2 to 255/],
      [`0x${'00'.repeat(256)}`, /256 bytes/],
      ['x'.repeat(255), /255 bytes; at most 254/],
      ['', /must not be empty; it is container, pod, mac, duid/],
      ['\ud800abcdef', /not valid Unicode/],
    ] as const) {
      const policy = parseClientId(written);
      assert.ok(!policy.ok, written);
      assert.match(policy.error, message);
    }
  });
});
