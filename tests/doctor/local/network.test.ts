import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { addShim, asRoot, makeNode } from './support/node.ts';

const HOST = {
  uplinks: [{ name: 'eth0', shim: 'lh0', address: '192.168.77.10' }],
  services: ['10.43.0.0/16'],
  problems: [],
  nested: [],
  fights: [],
};
const GUARD = 'add table inet leasehold';

test('a node in order: nothing but notes, and everything was looked at', asRoot, async (t) => {
  const node = await makeNode(t, 'fine');
  await addShim(node);
  await node.namespace.run(['nft', GUARD]);
  const { findings, subjects, uplink } = await node.look({ daemon: { host: HOST } });
  assert.deepEqual(
    findings.filter(({ severity }) => severity !== 'note'),
    [],
  );
  assert.equal(uplink, 'eth0');
  assert.ok(subjects.length >= 15);
});

test('an uplink that is a port of a bridge', asRoot, async (t) => {
  const node = await makeNode(t, 'port');
  await node.ip('link', 'add', 'br0', 'type', 'bridge');
  await node.ip('link', 'set', 'eth0', 'master', 'br0');
  const [finding] = await node.found('uplink-is-port');
  assert.equal(finding?.severity, 'error');
  assert.deepEqual(finding?.remedy, ['name br0 in "master"']);
});

test('bridge-nf: only where the uplink is a bridge, and worse with a policy of drop', asRoot, async (t) => {
  const node = await makeNode(t, 'brnf');
  const key = 'net.bridge.bridge-nf-call-iptables';
  await node.namespace.run(['sysctl', '-qw', `${key}=1`]);
  assert.deepEqual(await node.found('bridge-nf'), []);
  await node.ip('link', 'add', 'br0', 'type', 'bridge');
  await node.ip('link', 'set', 'wall', 'master', 'br0');
  const severity = async (): Promise<unknown> =>
    (await node.found('bridge-nf', { uplink: 'br0' })).map((finding) => finding.severity);
  assert.deepEqual(await severity(), ['warning']);
  await node.namespace.run(['iptables', '-P', 'FORWARD', 'DROP']);
  assert.deepEqual(await severity(), ['error']);
  await node.namespace.run(['sysctl', '-qw', `${key}=0`]);
  assert.deepEqual(await severity(), []);
});

test(
  'rp-filter: strict on the shim is a warning, on the uplink a note, loose is right',
  asRoot,
  async (t) => {
    const node = await makeNode(t, 'rp');
    await addShim(node);
    const set = async (name: string, value: number): Promise<string> =>
      await node.namespace.run(['sysctl', '-qw', `net.ipv4.conf.${name}.rp_filter=${value}`]);
    for (const name of ['all', 'eth0', 'lh0']) await set(name, 0);
    assert.deepEqual(await node.found('rp-filter'), []);
    await set('all', 1);
    assert.deepEqual(
      (await node.found('rp-filter')).map(({ severity, title }) => [severity, title.split(' ')[0]]),
      [
        ['warning', 'lh0'],
        ['note', 'eth0'],
      ],
    );
    for (const name of ['eth0', 'lh0']) await set(name, 2);
    assert.deepEqual(await node.found('rp-filter'), []);
  },
);

test(
  'a service network that overlaps the LAN, or a route, or has the API server in it',
  asRoot,
  async (t) => {
    const node = await makeNode(t, 'overlap');
    await writeFile(node.places.k3sConfigs[0] ?? '', 'service-cidr: 192.168.0.0/16 # the LAN as well\n');
    const [lan, ...more] = await node.found('service-network-overlap');
    assert.deepEqual(more, []);
    assert.equal(lan?.severity, 'error');
    assert.match(lan?.title ?? '', /192\.168\.0\.0\/16 overlaps the LAN 192\.168\.77\.0\/24/);

    await writeFile(node.places.k3sConfigs[0] ?? '', 'service-cidr:\n  - 10.43.0.0/16\n');
    assert.deepEqual(await node.found('service-network-overlap'), []);
    await node.ip('route', 'add', '10.43.0.0/24', 'via', '192.168.77.1');
    const [route] = await node.found('service-network-overlap');
    assert.equal(route?.severity, 'warning');
    assert.match(route?.evidence.join('\n') ?? '', /route 10\.43\.0\.0\/24 via 192\.168\.77\.1 dev eth0/);
    // One of ours leads there because it shall.
    await node.ip('route', 'replace', '10.43.0.0/24', 'via', '192.168.77.1', 'proto', '76');
    assert.deepEqual(await node.found('service-network-overlap'), []);

    const [kubelet] = node.places.kubeconfigs;
    await writeFile(kubelet?.path ?? '', 'clusters:\n- cluster:\n    server: https://10.43.7.7:6443\n');
    const [api] = await node.found('service-network-overlap');
    assert.equal(api?.severity, 'error');
    assert.match(api?.title ?? '', /10\.43\.0\.0\/16 contains 10\.43\.7\.7, the API server/);
  },
);

test('the shim: gone, down, or with an address that dhcpcd gave it', asRoot, async (t) => {
  const node = await makeNode(t, 'shim');
  const daemon = { host: HOST };
  assert.deepEqual(
    (await node.found('shim-missing', { daemon })).map(({ severity }) => severity),
    ['error'],
  );
  await addShim(node);
  assert.deepEqual(await node.found('shim-missing', { daemon }), []);
  assert.deepEqual(await node.found('shim-foreign-address'), []);
  await node.ip('addr', 'add', '192.168.77.99/24', 'dev', 'lh0');
  const [foreign] = await node.found('shim-foreign-address');
  assert.deepEqual(foreign?.evidence, ['192.168.77.99/24 on lh0']);
  const advice = foreign?.remedy.join('\n') ?? '';
  for (const text of ['denyinterfaces lh0', 'unmanaged-devices=interface-name:lh0', 'Unmanaged=yes'])
    assert.ok(advice.includes(text), text);
  await node.ip('link', 'set', 'lh0', 'down');
  assert.equal((await node.found('shim-down')).length, 1);
});

test('the guard: wanted with a shim and service networks', asRoot, async (t) => {
  const node = await makeNode(t, 'guard');
  const daemon = { host: HOST };
  assert.deepEqual(await node.found('guard-missing', { daemon }), []);
  await addShim(node);
  assert.deepEqual(
    (await node.found('guard-missing', { daemon })).map(({ severity }) => severity),
    ['error'],
  );
  await node.namespace.run(['nft', GUARD]);
  assert.deepEqual(await node.found('guard-missing', { daemon }), []);
});

test('a fight that the daemon tells of', asRoot, async (t) => {
  const node = await makeNode(t, 'fight');
  const fights = [{ item: 'address 192.168.77.10/32 on lh0', by: 'dhcpcd', since: 'noon', count: 12 }];
  const [fight] = await node.found('fight', { daemon: { host: { ...HOST, fights } } });
  assert.equal(fight?.title, 'address 192.168.77.10/32 on lh0 is changed again and again by dhcpcd');
  assert.deepEqual(fight?.evidence, ['12 times since noon']);
});

test('a packet filter that drops what pods send to services', asRoot, async (t) => {
  const node = await makeNode(t, 'forward');
  await addShim(node);
  const drops = async (): Promise<number> => (await node.found('forward-drop')).length;
  assert.equal(await drops(), 0);
  await node.namespace.run(['iptables', '-P', 'FORWARD', 'DROP']);
  assert.equal(await drops(), 1);
  await node.namespace.run(['iptables', '-A', 'FORWARD', '-i', 'eth9', '-j', 'ACCEPT']);
  assert.equal(await drops(), 1);
  await node.namespace.run(['iptables', '-A', 'FORWARD', '-i', 'lh0', '-j', 'ACCEPT']);
  assert.equal(await drops(), 0);
});

test('firewalld, which refuses in its last rule', asRoot, async (t) => {
  const node = await makeNode(t, 'firewalld');
  await addShim(node);
  const chain = 'add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; }';
  await node.namespace.run(['nft', `add table inet firewalld; ${chain}`]);
  const [finding] = await node.found('forward-firewalld');
  assert.match(finding?.remedy[0] ?? '', /--zone=trusted --add-interface=lh0/);
  await node.namespace.run(['nft', 'add rule inet firewalld filter_FORWARD iifname "lh0" accept']);
  assert.deepEqual(await node.found('forward-firewalld'), []);
});
