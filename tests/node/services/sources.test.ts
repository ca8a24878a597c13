import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { cidr, formatCidr, type Cidr } from '../../../src/base/cidr.ts';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import { ServiceNetworks } from '../../../src/node/host/service-networks.ts';
import type { FoundServiceNetwork } from '../../../src/node/services/found.ts';
import { ServiceSources } from '../../../src/node/services/sources.ts';

let networks: ServiceNetworks;
let changes: string[];
let sources: ServiceSources;

beforeEach(() => {
  networks = new ServiceNetworks();
  changes = [];
  networks.onChange((all) => changes.push(all.map(formatCidr).join(' ')));
  sources = new ServiceSources(networks);
});

const net = (text: string): Cidr<Ipv4> => cidr(text) as Cidr<Ipv4>;

function found(text: string, guessed = false): readonly FoundServiceNetwork[] {
  return text.split(' ').map((one) => ({
    network: net(one),
    source: `source of ${one}`,
    ...(guessed ? { inferred: 'size' as const } : {}),
  }));
}

const listed = (): readonly string[] =>
  sources.list.map(({ network, source }) => `${formatCidr(network)} ${source}`);

test('the surest counts alone: stated, the API, the node; a guess only where nobody is sure', () => {
  sources.set('node', found('10.1.0.0/16', true));
  sources.set('kubernetes', found('10.2.0.0/16', true));
  assert.equal(sources.isSettled, false);
  sources.set('node', found('10.3.0.0/16'));
  assert.equal(sources.isSettled, false);
  sources.set('kubernetes', found('10.4.0.0/16'));
  assert.equal(sources.isSettled, true);
  sources.state('flag', [net('10.5.0.0/16')]);
  sources.state('config', [net('10.6.0.0/16')]);
  assert.deepEqual(networks.all.map(formatCidr), ['10.5.0.0/16', '10.6.0.0/16']);
  assert.deepEqual(listed(), ['10.5.0.0/16 --service-cidr', '10.6.0.0/16 the file of --config']);
  sources.state('config', []);
  sources.state('flag', []);
  assert.deepEqual(listed(), ['10.4.0.0/16 source of 10.4.0.0/16']);
  for (const one of ['10.1', '10.2', '10.3', '10.4', '10.5', '10.6']) {
    assert.ok(
      changes.some((change) => change.includes(one)),
      one,
    );
  }
});

test('a network that the next source names too is never gone in between', () => {
  sources.set('node', found('10.1.0.0/16'));
  sources.set('kubernetes', found('10.1.0.0/16 10.2.0.0/16'));
  sources.set('kubernetes', []);
  for (const change of changes) assert.match(change, /10\.1\.0\.0\/16/);
  assert.deepEqual(networks.all.map(formatCidr), ['10.1.0.0/16']);
});

test('nobody who finds may name a network larger than a /8', () => {
  sources.set('kubernetes', found('0.0.0.0/1 10.96.0.0/12'));
  assert.deepEqual(networks.all.map(formatCidr), ['10.96.0.0/12']);
});
