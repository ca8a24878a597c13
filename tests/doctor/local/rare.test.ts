import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../../src/base/cidr.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { localFindings, viewNode } from '../../../src/doctor/local/local-findings.ts';
import { DEFAULT_PLACES } from '../../../src/doctor/local/places.ts';
import type { DaemonView, NodeFacts, NodeLink } from '../../../src/doctor/local/ports.ts';
import { quietFacts } from '../../cli/support.ts';

/** What no namespace can be made to have: other kernels, other hardware, other clocks. */

const READY: DaemonView = { socket: '/run/d.sock', state: 'ready', spooled: 0 };

async function findingsOf(more: Partial<NodeFacts>, daemon = READY): Promise<readonly Finding[]> {
  const view = await viewNode(quietFacts(more), DEFAULT_PLACES, daemon, undefined);
  return (await localFindings(view)).findings;
}

function idsOf(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ id, severity }) => `${severity} ${id}`);
}

function link(index: number, name: string, more: Partial<NodeLink> = {}): NodeLink {
  return { index, name, mtu: 1500, up: true, lowerUp: true, wireless: false, ...more };
}

test('a quiet node has no finding at all', async () => {
  assert.deepEqual(await findingsOf({}), []);
});

test('a Wi-Fi adapter as uplink: of the node, and of the configuration that wins', async () => {
  const wlan0 = link(2, 'wlan0', { wireless: true });
  assert.deepEqual(idsOf(await findingsOf({ links: () => Promise.resolve([wlan0]) })), [
    'error uplink-wifi',
    'error master-wifi',
  ]);
});

test('kernels without an egress hook, by version or by configuration', async () => {
  for (const [release, config, found] of [
    ['5.15.0-91-generic', undefined, true],
    ['4.19.0', undefined, true],
    ['5.16.0', undefined, false],
    ['6.1.0-18-amd64', 'CONFIG_NETFILTER_EGRESS=y\n', false],
    ['6.1.0-tiny', '# CONFIG_NETFILTER_EGRESS is not set\n', true],
    ['no number', undefined, false],
  ] as const) {
    const readText = (path: string): string | undefined =>
      path === `/boot/config-${release}` ? config : undefined;
    const ids = idsOf(await findingsOf({ kernelRelease: () => release, readText, list: () => undefined }));
    assert.equal(ids.includes('warning kernel-no-egress'), found, release);
  }
});

test('a clock that nobody keeps, or whose keeper has not set it', async () => {
  const [alone] = await findingsOf({ clockSynchronised: () => false });
  assert.equal(alone?.id, 'clock-unsynchronised');
  assert.equal(alone?.evidence[1], 'no NTP program runs');
  const [kept] = await findingsOf({
    clockSynchronised: () => false,
    processes: () => [{ pid: 9, argv: ['/usr/sbin/chronyd', '-F', '1'] }],
  });
  assert.equal(kept?.evidence[1], 'runs, but has not set it: chronyd');
  assert.deepEqual(await findingsOf({ clockSynchronised: () => undefined }), []);
});

test('service networks to be guarded, and no nft to do it with', async () => {
  const shim = link(3, 'lh0', { kind: 'macvlan', masterIndex: 2, alias: 'leasehold: shim of eth0' });
  const more: Partial<NodeFacts> = {
    links: () => Promise.resolve([link(2, 'eth0'), shim]),
    firewall: () => Promise.resolve({ kind: 'unknown', why: 'nft is not installed' }),
  };
  const host = { uplinks: [], services: ['10.43.0.0/16'], problems: [], nested: [], fights: [] };
  const [unseen] = await findingsOf(more, { ...READY, host });
  assert.deepEqual([unseen?.id, unseen?.severity], ['firewall-unseen', 'note']);
  const unfit = await findingsOf(more, { ...READY, state: 'unfit', host });
  const missing = unfit.find(({ id }) => id === 'nft-missing');
  assert.deepEqual([missing?.severity, missing?.evidence], ['error', ['nft is not installed']]);
});

test('the interface of a pod that is gone: what keeps its lease, and how it is found', async () => {
  const nested = [
    {
      uplink: 'eth0',
      mac: '02:00:00:00:01:09',
      pod: 'late/lan/eth0',
      ifname: 'eth0',
      macvlanMode: undefined,
      ended: true,
      takes: undefined,
    },
  ];
  const host = { uplinks: [], services: [], problems: [], nested, fights: [] };
  const found = await findingsOf({}, { ...READY, host });
  const finding = found.find(({ id }) => id === 'link-outlives-pod');
  assert.match(finding?.title ?? '', /^eth0 of late\/lan\/eth0, which is gone, is up on eth0/);
  assert.match(finding?.evidence[0] ?? '', /^02:00:00:00:01:09 on eth0/);
});

test('a service network that only the daemon knows is looked at too', async () => {
  const host = {
    uplinks: [],
    services: ['192.168.0.0/16', 'nonsense'],
    problems: [],
    nested: [],
    fights: [],
  };
  const route = { dst: cidr('192.168.77.0/24'), index: 2, protocol: 2 };
  const findings = await findingsOf({ routes: () => Promise.resolve([route]) }, { ...READY, host });
  assert.deepEqual(
    findings.filter(({ id }) => id === 'service-network-overlap').map(({ evidence }) => evidence[0]),
    ['service network 192.168.0.0/16: the daemon'],
  );
});

test('advice names the manager that runs here, and no other', async () => {
  const fights = [{ item: 'lh0', by: undefined, since: undefined, count: undefined }];
  const host = { uplinks: [], services: [], problems: [], nested: [], fights };
  const [fight] = await findingsOf(
    { processes: () => [{ pid: 5, argv: ['dhcpcd: eth0 [ip4]'] }] },
    { ...READY, host },
  );
  assert.equal(fight?.remedy.length, 1);
  assert.match(fight?.remedy[0] ?? '', /^dhcpcd: "denyinterfaces lh0"/);
});

test('who says where the services are: the daemon before the node; a guess of it, and an API that it cannot ask, are found', async () => {
  const source = 'ServiceCIDR kubernetes, by the Kubernetes API at https://192.168.2.10:6443';
  const sure = [{ network: '10.96.0.0/16', source, guessed: false }];
  const base = { uplinks: [], services: ['10.96.0.0/16'], problems: [], nested: [], fights: [] };
  const idsAt = async (more: object): Promise<readonly string[]> => {
    const findings = await findingsOf({}, { ...READY, host: { ...base, ...more } });
    return findings.flatMap(({ id, evidence }) =>
      id === 'service-network-guessed' || id === 'kubernetes-api' ? [`${id}: ${evidence.join()}`] : [],
    );
  };
  assert.deepEqual(await idsAt({ sources: sure }), []);
  assert.deepEqual(await idsAt({ sources: sure, kubernetesProblem: 'status 401' }), [
    `kubernetes-api: in use: 10.96.0.0/16 (the daemon: ${source})`,
  ]);
  const guess = [
    { network: '10.96.0.0/12', source: '10.96.0.1 (Service default/kubernetes)', guessed: true },
  ];
  assert.deepEqual(await idsAt({ sources: guess }), [
    'service-network-guessed: 10.96.0.1 (Service default/kubernetes)',
  ]);
});
