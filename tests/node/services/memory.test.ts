import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr, type Cidr } from '../../../src/base/cidr.ts';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import type { FoundServiceNetwork, Inference } from '../../../src/node/services/found.ts';
import {
  formatMemory,
  parseMemory,
  parseOldCluster,
  parseOldNode,
} from '../../../src/node/services/memory.ts';

function found(text: string, inferred?: Inference): FoundServiceNetwork {
  const network = cidr(text) as Cidr<Ipv4>;
  return { network, source: `source of ${text}`, ...(inferred === undefined ? {} : { inferred }) };
}

const remembered = (one: FoundServiceNetwork): FoundServiceNetwork => ({ ...one, isRemembered: true });

const NODE = [found('10.43.0.0/16'), found('10.44.0.0/16', 'usual'), found('10.45.0.0/16', 'unconfirmed')];
const KUBERNETES = [found('10.96.0.0/12'), found('172.20.0.0/16', 'size')];

test('in the same boot all of it is what it was, and known to be of an earlier run', () => {
  const text = formatMemory('boot', { node: NODE, kubernetes: KUBERNETES });
  assert.deepEqual(parseMemory('boot', text), {
    node: NODE.map(remembered),
    kubernetes: KUBERNETES.map(remembered),
  });
});

test('after a reboot the word of the API stands; what the node was searched for is a guess, and stays one', () => {
  const text = formatMemory('boot', { node: NODE, kubernetes: KUBERNETES });
  const read = parseMemory('next', text);
  assert.deepEqual(
    read?.node.map(({ inferred }) => inferred),
    ['size', 'size', 'unconfirmed'],
  );
  assert.deepEqual(read?.kubernetes, KUBERNETES.map(remembered));
  assert.ok(read !== undefined);
  assert.deepEqual(parseMemory('next', formatMemory('next', read)), read);
});

test('it is bounded, and what is no such text is none', () => {
  const many = Array.from({ length: 100 }, (_, n) => found(`10.${n}.0.0/16`));
  const text = formatMemory('boot', {
    node: many,
    kubernetes: [{ ...found('10.0.0.0/8'), source: 'x'.repeat(9000) }],
  });
  assert.ok(text.length < 8192);
  assert.equal(parseMemory('boot', text)?.node.length, 16);
  for (const bad of [
    '',
    '{}',
    '[]',
    text.replace('"version":2', '"version":3'),
    text.replace('"10.1.0.0/16"', '7'),
  ]) {
    assert.equal(parseMemory('boot', bad), undefined, bad.slice(0, 40));
  }
  const whole = text.replace('10.1.0.0/16', '0.0.0.0/0');
  assert.equal(parseMemory('boot', whole)?.node.length, 15, 'all there is, is no network of services');
});

test('what daemons wrote before, in two forms, is read', () => {
  const cluster = { version: 1, networks: [{ network: '10.96.0.0/12', source: 'x', guessed: false }] };
  assert.deepEqual(parseOldCluster(JSON.stringify(cluster)), [
    { ...remembered(found('10.96.0.0/12')), source: 'x' },
  ]);
  for (const bad of ['', '{"version":1,"networks":[{"network":7}]}', '{"version":2,"networks":[]}']) {
    assert.deepEqual(parseOldCluster(bad), []);
  }
  const node = 'boot\n10.43.0.0/16 stated\n172.20.0.0/16 size\n10.1.0.0/16 x\nx stated\n';
  assert.deepEqual(
    parseOldNode('boot', node).map(({ network, inferred }) => [network.address, inferred]),
    [
      ['10.43.0.0', undefined],
      ['172.20.0.0', 'size'],
    ],
  );
  assert.deepEqual(parseOldNode('next', node), []);
});
