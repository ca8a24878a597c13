import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { millis } from '../../src/base/time.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { lanFindings, type LanOptions } from '../../src/doctor/lan.ts';
import type { HomeLan, HomeLanOptions } from '../../src/lab/home-lan.ts';
import { addSecondServer } from '../../src/lab/second-server.ts';
import { homeLan, NEEDS_ROOT } from '../support/home-lan.ts';
import { dropForeignSources, dropForeignUnicast, macOf } from './support/faults.ts';
import { nodePorts, type Sys } from './support/node-ports.ts';

const NODE = { address: cidr('192.168.2.10/24') };
const AT_ONCE = 4;

async function home(t: TestContext, options: HomeLanOptions = {}): Promise<HomeLan> {
  return await homeLan(t, { hosts: { node: NODE }, ...options });
}

async function diagnose(
  t: TestContext,
  lan: HomeLan,
  options: LanOptions & { readonly sys?: Sys } = {},
): Promise<readonly Finding[]> {
  const { sys, ...rest } = options;
  return await lanFindings(nodePorts(t, lan.node.namespace, sys), 'eth0', rest);
}

function ids(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ id }) => id);
}

function only(findings: readonly Finding[], id: string): Finding {
  assert.deepEqual(ids(findings), [id], JSON.stringify(findings, undefined, 1));
  const [finding] = findings;
  assert.ok(finding !== undefined);
  return finding;
}

describe('what a LAN says', { skip: NEEDS_ROOT, concurrency: AT_ONCE }, () => {
  test('nothing is wrong: ok, with the offer as evidence, no lease taken and no link made', async (t) => {
    const lan = await home(t);
    const links = await lan.node.namespace.ip('-br', 'link');
    const finding = only(await diagnose(t, lan), 'lan-ok');
    assert.equal(finding.severity, 'ok');
    assert.match(
      finding.evidence.join('\n'),
      /^192\.168\.2\.1 \(.*\) offers 192\.168\.2\.\d+ in 192\.168\.2\.0\/24, router 192\.168\.2\.1,/,
    );
    assert.deepEqual(await lan.server.leases(), []);
    assert.equal(await lan.node.namespace.ip('-br', 'link'), links);
    assert.doesNotMatch(await lan.node.namespace.ip('-d', 'link', 'show', 'eth0'), /promiscuity [1-9]/);
  });

  test('mac-filter: the remedy of the hypervisor that the node runs on comes first', async (t) => {
    const lan = await home(t);
    await dropForeignSources(lan, lan.node);
    const sys = {
      '/sys/class/dmi/id/sys_vendor': 'Microsoft Corporation',
      '/sys/class/dmi/id/product_name': 'Virtual Machine',
    };
    const finding = only(await diagnose(t, lan, { sys, patience: millis(500) }), 'mac-filter');
    assert.equal(finding.severity, 'error');
    assert.match(
      finding.title,
      new RegExp(`DHCP answers eth0's own MAC ${await macOf(lan.node)} but no other`),
    );
    assert.match(finding.remedy[0] ?? '', /^Hyper-V: turn on MAC address spoofing/);
    assert.ok(finding.remedy.some((line) => line.startsWith('Proxmox')));
    assert.ok(finding.evidence.includes('DISCOVER with a new MAC, as a pod: no answer'));
  });

  test('unicast-filter: what is addressed to a pod does not arrive', async (t) => {
    const lan = await home(t);
    await dropForeignUnicast(lan, lan.node);
    const finding = only(await diagnose(t, lan, { patience: millis(500) }), 'unicast-filter');
    assert.equal(finding.severity, 'error');
    assert.match(finding.title, /frames addressed to them do not arrive/);
  });

  test('no-server', async (t) => {
    const lan = await home(t, { server: { kind: 'none' } });
    const finding = only(await diagnose(t, lan, { patience: millis(0) }), 'no-server');
    assert.equal(finding.severity, 'error');
    assert.match(finding.evidence[0] ?? '', /^18 DISCOVERs in 2 s/);
  });

  test('rogue-server: a second one with another router; two-servers when they agree', async (t) => {
    const lan = await home(t);
    const pool = { first: ipv4('192.168.2.200'), last: ipv4('192.168.2.210') };
    const rogue = await addSecondServer(lan, {
      address: '192.168.2.3/24',
      pool,
      server: { kind: 'dnsmasq' },
    });
    const finding = only(await diagnose(t, lan), 'rogue-server');
    assert.equal(finding.severity, 'error');
    assert.match(finding.title, new RegExp(`192\\.168\\.2\\.3 \\(${await macOf(rogue.host)}\\)`));
    await rogue.server.stop();

    const agreeing = { kind: 'dnsmasq', dhcpOptions: ['option:router,192.168.2.1'] } as const;
    await addSecondServer(lan, { name: 'third', address: '192.168.2.4/24', pool, server: agreeing });
    assert.deepEqual(ids(await diagnose(t, lan)), ['two-servers', 'lan-ok']);
  });

  test('pool-empty: the node is known and has the only address', async (t) => {
    const pool = { first: ipv4('192.168.2.77'), last: ipv4('192.168.2.77') };
    const lan = await homeLan(t, { hosts: { node: 'dhcp' }, pool });
    const finding = only(await diagnose(t, lan, { patience: millis(0) }), 'pool-empty');
    assert.equal(finding.severity, 'error');
    assert.match(finding.title, /its pool is empty, or it serves known clients only/);
  });

  for (const kind of ['dnsmasq', 'kea', 'isc', 'udhcpd'] as const) {
    test(`pool-empty: ${kind} is silent even to the node, and shows by a DHCPINFORM that it is there`, async (t) => {
      const pool = { first: ipv4('192.168.2.77'), last: ipv4('192.168.2.77') };
      const lan = await home(t, { pool, server: { kind } });
      await lan.addHost('first', 'dhcp');
      const finding = only(await diagnose(t, lan, { patience: millis(0) }), 'pool-empty');
      assert.match(
        finding.title,
        /^the DHCP server 192\.168\.2\.1 answers on eth0 and is silent to new clients in 2 s: its pool is full/,
      );
      assert.match(finding.evidence.join('\n'), /192\.168\.2\.1 answers a DHCPINFORM after/);
    });
  }

  test('duplicate-address: of the node, and of what the server offers', async (t) => {
    const pool = { first: ipv4('192.168.2.77'), last: ipv4('192.168.2.77') };
    const lan = await home(t, { pool });
    const twin = await lan.addHost('twin', NODE);
    const squatter = await lan.addHost('squatter', { address: cidr('192.168.2.77/24') });
    const findings = await diagnose(t, lan);
    assert.deepEqual(ids(findings), ['duplicate-address', 'duplicate-address']);
    const [own, offered] = findings;
    assert.equal(own?.severity, 'error');
    assert.ok(own?.title.startsWith(`${await macOf(twin)} answers for 192.168.2.10 too`));
    assert.equal(offered?.severity, 'warning');
    assert.match(
      offered?.title ?? '',
      new RegExp(`offers 192\\.168\\.2\\.77, which ${await macOf(squatter)}`),
    );
  });

  test("the node's shim has its address too, and is no stranger", async (t) => {
    const lan = await home(t);
    const { namespace } = lan.node;
    await namespace.ip('link', 'add', 'lh0', 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge');
    await namespace.ip('addr', 'add', '192.168.2.10/32', 'dev', 'lh0', 'noprefixroute');
    await namespace.ip('link', 'set', 'lh0', 'up');
    only(await diagnose(t, lan), 'lan-ok');
  });

  test('server-slow: one that pings an address before it offers it to a new client', async (t) => {
    const lan = await home(t, { server: { kind: 'dnsmasq', ping: true } });
    const finding = only(await diagnose(t, lan), 'server-slow');
    assert.equal(finding.severity, 'warning');
    assert.match(finding.title, /takes \d s to answer a new client/);
    assert.match(finding.remedy[0] ?? '', /no-ping/);
  });

  test('an uplink that cannot be probed', async (t) => {
    const lan = await home(t, { server: { kind: 'none' } });
    const ports = nodePorts(t, lan.node.namespace);
    assert.equal(only(await lanFindings(ports, undefined), 'uplink-missing').severity, 'error');
    assert.match(only(await lanFindings(ports, 'eth7'), 'uplink-missing').title, /eth7 does not exist/);
    only(await lanFindings(ports, 'lo'), 'uplink-not-ethernet');
    await lan.router.ip('link', 'set', lan.node.port, 'down');
    only(await lanFindings(ports, 'eth0'), 'uplink-no-carrier');
    await lan.node.namespace.ip('link', 'set', 'eth0', 'down');
    assert.match(
      only(await lanFindings(ports, 'eth0'), 'uplink-down').remedy[0] ?? '',
      /ip link set eth0 up/,
    );
  });
});
