import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Finding } from '../../../src/doctor/finding.ts';
import { addShim, asRoot, makeNode, type TestNode } from './support/node.ts';

const LAN = '192.168.77.0/24';
const POD = '192.168.77.50';
const NODE = '192.168.77.10';

/** A node with a pod, and with an interface of a VPN. */
async function nodeWithPod(t: TestContext, label: string, vpn: string): Promise<TestNode> {
  const node = await makeNode(t, label);
  await addShim(node);
  await node.ip('route', 'add', POD, 'dev', 'lh0', 'proto', '76', 'src', NODE);
  await node.ip('link', 'add', vpn, 'type', 'veth', 'peer', 'name', 'far');
  await node.ip('link', 'set', vpn, 'up');
  return node;
}

async function rule(node: TestNode, text: string): Promise<void> {
  await node.ip('rule', 'add', ...text.split(' '));
}

async function only(node: TestNode): Promise<Finding> {
  const [finding, ...more] = await node.found('policy-rule');
  assert.ok(finding !== undefined);
  assert.deepEqual(more, []);
  assert.equal(finding.severity, 'error');
  return finding;
}

describe('rules of other programs', { ...asRoot, concurrency: 3 }, () => {
  test('Tailscale: rules as it sets them are well, until its table has the LAN', async (t) => {
    const node = await nodeWithPod(t, 'ts', 'tailscale0');
    await rule(node, 'pref 5210 fwmark 0x80000/0xff0000 lookup main');
    await rule(node, 'pref 5230 fwmark 0x80000/0xff0000 lookup default');
    await rule(node, 'pref 5250 fwmark 0x80000/0xff0000 unreachable');
    await rule(node, 'pref 5270 lookup 52');
    await node.ip('route', 'add', '100.100.100.100', 'dev', 'tailscale0', 'table', '52');
    assert.deepEqual(await node.found('policy-rule'), []);

    await node.ip('route', 'add', LAN, 'dev', 'tailscale0', 'table', '52');
    const { title, evidence, remedy } = await only(node);
    assert.match(
      title,
      /^a policy rule of Tailscale leads away .*pod 192\.168\.77\.50, router 192\.168\.77\.1/,
    );
    const seen = evidence.join('\n');
    assert.match(seen, /^rule 5270: from all lookup 52$/m);
    const expected: readonly (readonly [string, string])[] = [
      [POD, 'lh0'],
      [`${POD} from ${NODE}`, 'lh0'],
      ['192.168.77.1', 'eth0'],
      ['192.168.77.254', 'eth0'],
    ];
    for (const [to, by] of expected)
      assert.ok(seen.includes(`${to}: table 52 has ${LAN} dev tailscale0, and not ${by}`), to);
    assert.match(remedy[0] ?? '', /tailscale set --accept-routes=false/);
    const [, command = ''] = /: ip (rule add .*)$/.exec(remedy[1] ?? '') ?? [];
    assert.equal(command, `rule add pref 5269 to ${LAN} lookup main`);
    await node.ip(...command.split(' '));
    assert.deepEqual(await node.found('policy-rule'), [], 'the remedy is one');
  });

  test('wg-quick: with its rule for the main table all is well, without it nothing is', async (t) => {
    const node = await nodeWithPod(t, 'wg', 'wg0');
    await node.ip('route', 'add', 'default', 'dev', 'wg0', 'table', '51820');
    await rule(node, 'not pref 32765 fwmark 51820 lookup 51820');
    await rule(node, 'pref 32764 lookup main suppress_prefixlength 0');
    assert.deepEqual(await node.found('policy-rule'), []);
    await node.ip('rule', 'del', 'pref', '32764');
    const { title, evidence, remedy } = await only(node);
    assert.match(title, /of wg-quick/);
    assert.equal(evidence[0], 'rule 32765: not from all fwmark 0xca6c lookup 51820');
    assert.match(remedy[0] ?? '', /AllowedIPs/);
  });

  test('rules by source, by incoming interface, and such as refuse; their owner is said as far as it is known', async (t) => {
    const node = await nodeWithPod(t, 'others', 'eth9');
    // Of several uplinks: what has this source leaves by its own interface, which does not reach the pods.
    await rule(node, `pref 1000 from ${NODE} lookup 100 proto static`);
    await node.ip('route', 'add', LAN, 'dev', 'eth0', 'table', '100');
    const bySource = await only(node);
    assert.match(
      bySource.title,
      /an unknown owner, protocol 4 \(static: systemd-networkd or an administrator\)/,
    );
    assert.deepEqual(bySource.evidence, [
      `rule 1000: from ${NODE}/32 lookup 100`,
      `${POD} from ${NODE}: table 100 has ${LAN} dev eth0, and not lh0`,
    ]);
    await node.ip('rule', 'del', 'pref', '1000');

    await node.namespace.run(['sysctl', '-qw', 'net.ipv4.conf.lh0.forwarding=1']);
    await rule(node, 'pref 1001 iif lh0 lookup 101 proto 99');
    await node.ip('route', 'add', 'default', 'dev', 'eth9', 'table', '101');
    const byInterface = await only(node);
    assert.match(byInterface.title, /an unknown owner, protocol 99 leads .*, for pods$/);
    assert.match(
      byInterface.evidence[1] ?? '',
      /iif lh0: table 101 has 0\.0\.0\.0\/0 dev eth9, and not eth0$/,
    );
    await node.ip('rule', 'del', 'pref', '1001');

    await rule(node, `pref 1002 to ${LAN} prohibit`);
    const refusing = await only(node);
    assert.equal(refusing.evidence[0], `rule 1002: from all to ${LAN} prohibit`);
    assert.match(refusing.title, /protocol 0 \(by hand/);
    await node.ip('rule', 'del', 'pref', '1002');

    for (const text of [
      'pref 1003 uidrange 5-5 prohibit',
      'pref 1004 fwmark 0x7 prohibit',
      'pref 1005 oif eth9 prohibit',
    ])
      await rule(node, text);
    assert.deepEqual(await node.found('policy-rule'), []);
  });
});
