import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isMulticastMac, macToBytes, parseMac } from '../../../src/base/mac.ts';
import { podMac } from '../../../src/cni/identity/pod-mac.ts';
import { subjectOf } from '../../../src/cni/identity/subject.ts';
import { attachedAs, attachedPod, attachments, SCOPE, scopes } from './support.ts';

test('always unicast and locally administered, and the same for the same input', () => {
  fc.assert(
    fc.property(attachments, scopes, (attached, scope) => {
      const mac = podMac(attached, scope);
      assert.equal(parseMac(mac), mac);
      assert.ok(!isMulticastMac(mac));
      // IEEE 802c: the four low bits of the first byte are 0010 where an administrator assigns.
      assert.equal((macToBytes(mac)[0] ?? 0) & 0x0f, 0x02);
      assert.equal(podMac(attached, { ...scope }), mac);
    }),
  );
});

test('a pod that comes back is the same on every node, in whatever container', () => {
  const one = podMac(attachedPod('shop', 'web-0', 'c1'), SCOPE);
  assert.equal(podMac(attachedPod('shop', 'web-0', 'c2'), { ...SCOPE, node: 'n2' }), one);
});

test('whatever makes another identity makes another MAC', () => {
  const podman = attachedAs({ K8S_POD_NAME: 'web-0' });
  const macs = [
    podMac(attachedPod('shop', 'web-0'), SCOPE),
    podMac(attachedPod('shop', 'web-1'), SCOPE),
    podMac(attachedPod('shop2', 'web-0'), SCOPE),
    podMac({ ...attachedPod('shop', 'web-0'), ifname: 'net1' }, SCOPE),
    podMac(attachedPod('shop', 'web-0'), { ...SCOPE, cluster: 'b' }),
    podMac(attachedPod('shop', 'web-0'), { ...SCOPE, key: 'b' }),
    podMac(podman, SCOPE),
    podMac(podman, { ...SCOPE, node: 'n2' }),
    podMac(attachedAs({}), SCOPE),
    podMac(attachedAs({}, { containerId: 'c2' }), SCOPE),
  ];
  assert.equal(new Set(macs).size, macs.length);
});

test('different clusters and keys: different MACs, for any pod', () => {
  fc.assert(
    fc.property(attachments, scopes, scopes, (attached, a, b) => {
      fc.pre(a.cluster !== b.cluster || a.key !== b.key);
      assert.notEqual(podMac(attached, a), podMac(attached, b));
    }),
  );
});

test('the subject: the pod by namespace, else by node, else the container', () => {
  for (const [args, subject] of [
    [
      { K8S_POD_NAME: 'w', K8S_POD_NAMESPACE: 's' },
      { kind: 'pod', within: 's', name: 'w' },
    ],
    [{ K8S_POD_NAME: 'w' }, { kind: 'pod', within: '@n1', name: 'w' }],
    [{ K8S_POD_NAMESPACE: 's' }, { kind: 'container', id: 'c1' }],
    [{ K8S_POD_NAME: '' }, { kind: 'container', id: 'c1' }],
    [{}, { kind: 'container', id: 'c1' }],
  ] as const) {
    assert.deepEqual(subjectOf(attachedAs(args), SCOPE), subject);
  }
});
