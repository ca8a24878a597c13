import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podSideCheck } from '../../../src/doctor/local/pod-side.ts';
import { localFindings, viewNode } from '../../../src/doctor/local/local-findings.ts';
import { DEFAULT_PLACES } from '../../../src/doctor/local/places.ts';
import type { DaemonView, NodeFacts } from '../../../src/doctor/local/ports.ts';
import { quietFacts } from '../../cli/support.ts';

const SILENT: DaemonView = { socket: '/run/d.sock', state: 'silent', spooled: 2, said: 'it does not answer' };

async function look(daemon: DaemonView, facts: Partial<NodeFacts> = {}) {
  return await viewNode(quietFacts(facts), DEFAULT_PLACES, daemon, 'eth0');
}

function pod(at: number) {
  return {
    containerId: `${at}`.padStart(64, '0'),
    network: 'lan',
    ifname: 'eth0',
    problems: ['no last hop on eth0', 'no route to 10.43.0.0/16 by 169.254.1.1'],
  };
}

function pods(count: number): DaemonView {
  const list = Array.from({ length: count }, (_, at) => pod(at));
  return { socket: '/run/d.sock', state: 'ready', spooled: 0, pods: { looked: 200, pods: list } };
}

test('what is wrong in pods is one warning, which names the first of them', async () => {
  assert.deepEqual(await podSideCheck.look(await look(pods(0))), []);
  const [finding] = await podSideCheck.look(await look(pods(12)));
  assert.deepEqual([finding?.id, finding?.severity], ['pod-side', 'warning']);
  assert.match(finding?.title ?? '', /^12 of 200 pods /);
  assert.equal(finding?.evidence.length, 11);
  assert.equal(
    finding?.evidence[0],
    'eth0 of 0000000000000 in lan: no last hop on eth0; no route to 10.43.0.0/16 by 169.254.1.1',
  );
  assert.match(finding?.evidence.at(-1) ?? '', /^and 2 more/);
  assert.match(finding?.remedy[0] ?? '', /^systemctl reload leasehold/);
});

test('a daemon that does not answer is said, and what needs none is judged: shim and guard', async () => {
  const link = { index: 2, name: 'eth0', mtu: 1500, up: true, lowerUp: true, wireless: false };
  const shim = {
    ...link,
    index: 3,
    name: 'lh0',
    up: false,
    alias: 'leasehold: shim of eth0',
    masterIndex: 2,
  };
  const facts = {
    links: () => Promise.resolve([link, shim]),
    processes: () => [{ pid: 7, argv: ['/usr/local/bin/k3s', 'agent', '--service-cidr=10.43.0.0/16'] }],
  };
  const { findings } = await localFindings(await look(SILENT, facts));
  const ids = findings.map(({ id }) => id);
  for (const id of ['daemon-silent', 'shim-down', 'guard-missing']) assert.ok(ids.includes(id), ids.join());
  const guard = findings.find(({ id }) => id === 'guard-missing');
  assert.match(guard?.evidence[0] ?? '', /10\.43\.0\.0\/16/);
  assert.match(guard?.remedy[0] ?? '', /as soon as it runs/);
  // Where nobody else knows service networks, there is nothing to judge the guard by.
  const other = await localFindings(await look(SILENT, { links: facts.links }));
  assert.deepEqual(
    other.findings.map(({ id }) => id).filter((id) => id === 'guard-missing'),
    [],
  );
});
