import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkConflist } from '../../../src/doctor/conflist/check.ts';
import { idsOf, nodeWith, one } from './support.ts';

const FIXTURES = join(import.meta.dirname, '..', '..', 'plugins', 'fixtures');

function fixture(name: string): string {
  return readFileSync(join(FIXTURES, name), 'utf8');
}

test('each of the configurations that people have is explained plugin by plugin', () => {
  for (const name of readdirSync(FIXTURES)) {
    const { plugins } = checkConflist(fixture(name), nodeWith());
    assert.ok(plugins.length > 0, name);
    for (const plugin of plugins) assert.notEqual(plugin.does, 'is not known here', name);
  }
});

test('macvlan with dhcp: the node is not reached, and in a cluster the services are not', () => {
  assert.deepEqual(idsOf(checkConflist(fixture('home-lab-1.conflist'), nodeWith())), [
    'note conflist-version',
    'warning no-host-access',
    'note no-service-route',
  ]);
  const cluster = checkConflist(fixture('home-lab-1.conflist'), nodeWith({ services: ['10.43.0.0/16'] }));
  assert.equal(one(cluster, 'no-service-route').severity, 'error');
});

test('route-override with the addresses of one cluster and one node', () => {
  const text = fixture('home-lab-2.conflist');
  const own = one(checkConflist(text, nodeWith()), 'hard-coded-address');
  assert.equal(own.severity, 'error');
  assert.match(
    own.title,
    /192\.168\.2\.125 is this node's own address on eth0, which no pod on it can reach/,
  );

  const elsewhere = nodeWith({ addresses: [[2, '192.168.2.126/24']] });
  const other = one(checkConflist(text, elsewhere), 'hard-coded-address');
  assert.equal(other.severity, 'warning');
  assert.match(other.title, /not an address of this node/);

  const network = checkConflist(text, nodeWith({ services: ['10.96.0.0/12'] }));
  assert.match(
    one(network, 'hard-coded-network').title,
    /10\.43\.0\.0\/16 is no service network .* 10\.96\.0\.0\/12/,
  );
  assert.equal(one(network, 'no-service-route').severity, 'error');
});

test('the gateway may be a shim that was made by hand', () => {
  const [eth0] = nodeWith().links;
  assert.ok(eth0 !== undefined);
  const shim = { ...eth0, index: 3, name: 'mac0', kind: 'macvlan', masterIndex: 2 };
  const node = nodeWith({
    links: [eth0, shim],
    addresses: [
      [2, '192.168.2.125/24'],
      [3, '192.168.2.125/32'],
    ],
    services: ['10.43.0.0/16'],
  });
  const report = checkConflist(fixture('home-lab-2.conflist'), node);
  assert.equal(one(report, 'hard-coded-address').severity, 'warning');
  assert.ok(!idsOf(report).some((id) => id.endsWith('no-service-route')));
});

test('options of the Go plugin and what podman writes are right as they are', () => {
  for (const name of ['ipam-options.conflist', 'podman-macvlan.conflist']) {
    assert.deepEqual(idsOf(checkConflist(fixture(name), nodeWith())), [
      'warning no-host-access',
      'note no-service-route',
    ]);
  }
});
