import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { type ClusterAnswer, ClusterNetworks } from '../../src/kube/cluster-networks.ts';
import { event, listOf, serviceCidr, SimWorld } from './support/world.ts';

const CIDRS = '/apis/networking.k8s.io/v1/servicecidrs?limit=256';
const KUBEADM = '/api/v1/namespaces/kube-system/configmaps/kubeadm-config';
const SERVICE = '/api/v1/namespaces/default/services/kubernetes';

let world: SimWorld;
let answers: string[];
let problems: (string | undefined)[];
let client: ClusterNetworks;

function shown(answer: ClusterAnswer): string {
  return answer.kind === 'addresses'
    ? `addresses ${answer.addresses.join(' ')}: ${answer.source}`
    : answer.networks.map(({ cidr, source }) => `${cidr} (${source})`).join(' ');
}

beforeEach(() => {
  world = new SimWorld();
  answers = [];
  problems = [];
  client = new ClusterNetworks({
    world,
    answered: (answer) => answers.push(shown(answer)),
    problem: (why) => problems.push(why),
  });
});

function configMap(yaml: string): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', data: { ClusterConfiguration: yaml } };
}

const API_SERVICE = {
  kind: 'Service',
  spec: { clusterIP: '10.43.0.1', clusterIPs: ['10.43.0.1', 'fd00::1'] },
};

test('ServiceCIDR objects: those that are ready, that do not say, and that leave while their services are there', () => {
  client.start();
  assert.equal(world.last(1).path, CIDRS);
  world
    .last(1)
    .json(
      listOf([
        serviceCidr('kubernetes', ['10.96.0.0/16', 'fd00::/112']),
        serviceCidr('silent', ['10.97.0.0/16'], { ready: '' }),
        serviceCidr('leaving', ['10.98.0.0/16'], { ready: 'False', leaving: true }),
        serviceCidr('not-yet', ['10.99.0.0/16'], { ready: 'False' }),
        serviceCidr('unsure', ['10.100.0.0/16'], { ready: 'Unknown' }),
      ]),
    );
  world.pass(0);
  assert.deepEqual(answers, [
    '10.96.0.0/16 (ServiceCIDR kubernetes) fd00::/112 (ServiceCIDR kubernetes) 10.97.0.0/16 (ServiceCIDR silent) 10.98.0.0/16 (ServiceCIDR leaving)',
  ]);
  const watch = world.last(2);
  watch.head(200);
  watch.text(event('DELETED', serviceCidr('leaving', ['10.98.0.0/16'], { leaving: true, version: '11' })));
  watch.text(event('MODIFIED', serviceCidr('not-yet', ['10.99.0.0/16'], { version: '12' })));
  world.pass(1000);
  assert.match(
    answers[1] ?? '',
    /10\.97\.0\.0\/16 \(ServiceCIDR silent\) 10\.99\.0\.0\/16 \(ServiceCIDR not-yet\)$/,
  );
});

test('an API without a ServiceCIDR takes nothing away', () => {
  client.start();
  world.last(1).json(listOf([]));
  world.pass(0);
  assert.deepEqual([answers, problems], [[], ['the API has no ServiceCIDR that is ready']]);
  world.last(2).head(200);
  world.last(2).text(event('ADDED', serviceCidr('kubernetes', ['10.96.0.0/16'], { version: '11' })));
  world.pass(1000);
  assert.deepEqual([answers.length, problems.at(-1)], [1, undefined]);
});

for (const [what, yaml, networks] of [
  [
    'kubeadm writes it',
    'networking:\n  dnsDomain: cluster.local\n  serviceSubnet: 10.64.0.0/12\n',
    ['10.64.0.0/12'],
  ],
  [
    'both families, quoted',
    'networking:\n  serviceSubnet: "10.64.0.0/12,fd00::/108"\n',
    ['10.64.0.0/12', 'fd00::/108'],
  ],
] as const) {
  test(`before Kubernetes 1.33 (404): kubeadm's configuration, as ${what}; asked again after ten minutes`, () => {
    client.start();
    world.last(1).head(404);
    assert.equal(world.last(2).path, KUBEADM);
    world.last(2).json(configMap(yaml));
    const source = 'ConfigMap kube-system/kubeadm-config networking.serviceSubnet';
    assert.deepEqual(answers, [networks.map((one) => `${one} (${source})`).join(' ')]);
    assert.deepEqual(problems, [undefined]);
    world.pass(599_999);
    world.last(2);
    world.pass(1);
    assert.equal(world.last(3).path, CIDRS, 'it may have been upgraded');
  });
}

test('neither: the address of the API service, which is said to be an address only', () => {
  client.start();
  world.last(1).head(404);
  world.last(2).head(404);
  assert.equal(world.last(3).path, SERVICE);
  world.last(3).json(API_SERVICE);
  assert.deepEqual(answers, ['addresses 10.43.0.1 fd00::1: Service default/kubernetes']);
});

test('who may not list them is served by what he may read, and told which role he lacks', () => {
  client.start();
  world.last(1).head(403);
  world.last(2).head(403);
  world.last(3).json(API_SERVICE);
  assert.equal(answers.length, 1);
  assert.match(problems.at(-1) ?? '', /does not let us list ServiceCIDR objects \(docs\/kubernetes\.md/);
});

test('what is read in place of objects that are not shown may be a part only', () => {
  const partial: boolean[] = [];
  const other = new ClusterNetworks({
    world,
    answered: (answer) => partial.push(answer.kind === 'networks' && answer.isPartial),
    problem: () => undefined,
  });
  other.start();
  world.last(1).head(403);
  world.last(2).json(configMap('networking:\n  serviceSubnet: 10.64.0.0/12\n'));
  world.pass(600_000);
  world.last(3).head(404);
  world.last(4).json(configMap('networking:\n  serviceSubnet: 10.64.0.0/12\n'));
  assert.deepEqual(partial, [true, false]);
});

test('a failure on the way is tried again from the start, more and more rarely, and is no answer', () => {
  client.start();
  world.last(1).head(404);
  world.last(2).head(500);
  assert.deepEqual([answers, problems], [[], [`${KUBEADM}: status 500`]]);
  world.pass(800);
  world.last(3).head(404);
  world.last(4).json({ kind: 'Secret', data: {} });
  world.last(5).json({ kind: 'Service', spec: { clusterIP: 7 } });
  assert.deepEqual(problems.at(-1), `${SERVICE}: the answer is no Service`);
  world.pass(1599);
  world.last(5);
  world.pass(1);
  assert.equal(world.last(6).path, CIDRS);
});

test('a token that is refused is tried again: another may lie there by then', () => {
  client.start();
  world.last(1).head(401);
  assert.deepEqual(problems, ['status 401']);
  world.pass(800);
  world.last(2).json(listOf([serviceCidr('kubernetes', ['10.96.0.0/16'])]));
  world.pass(0);
  assert.deepEqual(problems.at(-1), undefined);
  client.close();
  assert.equal(world.pending, 0);
});
