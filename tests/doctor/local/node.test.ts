import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { killProcess, waitUntilReady } from '../../../src/lab/long-process.ts';
import { DEBIAN_CNI_BIN } from '../../support/leasehold.ts';
import { runAs } from '../../support/program-as.ts';
import { asRoot, makeNode } from './support/node.ts';

test('the Go daemon: while it runs, and the socket that it leaves when it is killed', asRoot, async (t) => {
  const node = await makeNode(t, 'go');
  assert.deepEqual(await node.found('go-daemon-runs'), []);
  const started = await node.namespace.start(
    [join(DEBIAN_CNI_BIN, 'dhcp'), 'daemon', '-socketpath', node.places.goSocket],
    { name: 'Go dhcp daemon', logFile: join(node.folder, 'go.log') },
    node.resources,
  );
  await waitUntilReady(started, () => existsSync(node.places.goSocket));
  const [runs] = await node.found('go-daemon-runs');
  assert.match(runs?.evidence[0] ?? '', new RegExp(`^process ${started.pid}: .*dhcp daemon -socketpath`));
  assert.deepEqual(await node.found('stale-go-socket'), []);
  await killProcess(started);
  assert.deepEqual(await node.found('go-daemon-runs'), []);
  const [stale] = await node.found('stale-go-socket');
  assert.deepEqual(stale?.remedy[0], `rm ${node.places.goSocket}`);
});

test('a process of another namespace is not of this node', asRoot, async (t) => {
  const [node, other] = [await makeNode(t, 'own'), await makeNode(t, 'other')];
  await runAs(other, 'k3s', 'server');
  assert.deepEqual((await node.look()).services, []);
  assert.equal((await other.look()).services[0]?.source.startsWith('k3s (process '), true);
});

test(
  'service networks: flags of processes, files of kubeadm and k3s, the default of k3s',
  asRoot,
  async (t) => {
    const node = await makeNode(t, 'services');
    const shown = async (): Promise<readonly string[]> =>
      (await node.look()).services.map(({ network }) => `${network.address}/${network.prefix}`);
    assert.deepEqual(await shown(), []);
    await runAs(node, 'k3s', 'server');
    assert.deepEqual(await shown(), ['10.43.0.0/16']);
    const manifest =
      'spec:\n  containers:\n  - command:\n    - --service-cluster-ip-range=10.96.0.0/12,fd00::/108\n';
    await writeFile(node.places.apiServerManifest, manifest);
    assert.deepEqual(await shown(), ['10.96.0.0/12']);
    await writeFile(join(node.places.k3sConfigFolders[0] ?? '', 'a.yaml'), 'service-cidr: [10.44.0.0/16]\n');
    await writeFile(
      node.places.k3sConfigs[0] ?? '',
      'service-cidr: "10.45.7.7/16"\nservice-cidr-x: 1.0.0.0/8\n',
    );
    assert.deepEqual(await shown(), ['10.96.0.0/12', '10.45.0.0/16', '10.44.0.0/16']);
    await runAs(node, 'kube-apiserver', '--service-cluster-ip-range', '10.46.0.0/16');
    assert.equal((await shown())[0], '10.46.0.0/16');
  },
);

test(
  'a worker of a cluster: nothing tells its services, then a guess, then its default',
  asRoot,
  async (t) => {
    const node = await makeNode(t, 'worker');
    await runAs(node, 'kubelet');
    const state = async (): Promise<readonly unknown[]> => {
      const { findings, services } = await node.look();
      const found = findings.filter(({ id }) => id.startsWith('service-network-'));
      return [...found.map(({ id }) => id), ...services.map(({ network }) => network.address)];
    };
    const [unknown] = await node.found('service-network-unknown');
    assert.equal(unknown?.severity, 'error');
    assert.match(unknown.evidence[0] ?? '', /^seen: kubelet \(process \d+\)$/);
    assert.match(unknown.remedy[0] ?? '', /--service-cidr CIDR/);

    type Rule = readonly [address: string, what: string];
    const proxyBy = async (program: string, rules: readonly Rule[]): Promise<unknown> => {
      const lines = rules.map(
        ([address, what]) =>
          `-A KUBE-SERVICES -d ${address}/32 -p tcp -m comment --comment "a/x:y ${what}" -m tcp --dport 443 -j RETURN`,
      );
      const input = ['*nat', ':KUBE-SERVICES - [0:0]', ...lines, 'COMMIT', ''].join('\n');
      return await node.namespace.run([program], { input });
    };
    const proxy = (...rules: readonly Rule[]): Promise<unknown> => proxyBy('iptables-nft-restore', rules);
    await proxy(['172.30.0.1', 'cluster IP'], ['198.51.100.7', 'external IP']);
    assert.deepEqual(await state(), ['service-network-guessed', '172.30.0.0']);
    await proxy(['10.96.0.1', 'cluster IP']);
    assert.deepEqual(await state(), ['10.96.0.0']);
    await proxy();
    const tables = async (): Promise<string> =>
      await node.namespace.run(['cat', '/proc/net/ip_tables_names']);
    assert.equal(await tables(), '', 'a look makes none');
    await proxyBy('iptables-legacy-restore', [['172.29.0.1', 'cluster IP']]);
    assert.deepEqual(await state(), ['service-network-guessed', '172.29.0.0'], 'of the old kind');
    await node.namespace.run(['iptables-legacy', '-t', 'nat', '-F']);
    const set =
      'table ip kube-proxy {\n set cluster-ips {\n type ipv4_addr\n elements = { 172.31.0.1 }\n }\n}\n';
    await node.namespace.run(['nft', '-f', '-'], { input: set });
    assert.deepEqual(await state(), ['service-network-guessed', '172.31.0.0']);

    const list = {
      cniVersion: '1.0.0',
      name: 'lan',
      plugins: [{ type: 'leasehold', services: '172.31.0.0/20' }],
    };
    await writeFile(join(node.places.cniConf, '05-leasehold.conflist'), JSON.stringify(list));
    assert.deepEqual(await state(), ['172.31.0.0'], 'it is stated in the network configuration');
  },
);

test('files that are no configuration give no service network', asRoot, async (t) => {
  const node = await makeNode(t, 'badfiles');
  await writeFile(node.places.apiServerManifest, '--service-cluster-ip-range=999.0.0.0/8,0.0.0.0/0');
  await writeFile(node.places.k3sConfigs[0] ?? '', Buffer.from([0xff, 0xfe, 0, 1, 2]));
  assert.deepEqual((await node.look()).services, []);
});

test('a clock that is years behind', asRoot, async (t) => {
  const node = await makeNode(t, 'clock');
  const [finding] = await node.found('clock-wrong', { wallClock: 0 });
  assert.equal(finding?.severity, 'error');
  assert.match(finding?.evidence[0] ?? '', /1970-01-01/);
  assert.deepEqual(await node.found('clock-wrong'), []);
});

test('the daemon: away, starting, something else, or with a spool', asRoot, async (t) => {
  const node = await makeNode(t, 'daemon');
  const one = async (state: 'absent' | 'starting' | 'odd' | 'ready', spooled = 0): Promise<unknown> =>
    (await node.look({ daemon: { state, spooled } })).findings
      .filter(({ id }) => id.startsWith('daemon-') || id.startsWith('spool-'))
      .map(({ id, severity }) => `${id} ${severity}`);
  assert.deepEqual(await one('absent'), ['daemon-absent note']);
  const list = '{"cniVersion":"1.0.0","name":"lan","plugins":[{"type":"leasehold"}]}';
  await writeFile(join(node.places.cniConf, '10-lan.conflist'), list);
  assert.deepEqual(await one('absent'), ['daemon-absent error']);
  assert.deepEqual(await one('starting'), ['daemon-not-ready warning']);
  assert.deepEqual(await one('odd'), ['daemon-odd error']);
  assert.deepEqual(await one('ready', 3), ['spool-waiting note']);
  assert.deepEqual(await one('ready'), []);
});
