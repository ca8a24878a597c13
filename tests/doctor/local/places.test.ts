import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_PLACES, placesHere } from '../../../src/doctor/local/places.ts';
import { quietFacts } from '../../cli/support.ts';

const listing = (there: readonly string[]) => (folder: string) => (there.includes(folder) ? [] : undefined);
const NOBODY = { cniConf: undefined, cniBins: [] };

test('the folders of k3s where it is installed, those that were named before all', () => {
  const plain = quietFacts({ list: () => undefined });
  assert.deepEqual(placesHere(plain, DEFAULT_PLACES, NOBODY), DEFAULT_PLACES);

  const k3s = quietFacts({ list: (folder) => (folder === DEFAULT_PLACES.k3sConf ? [] : undefined) });
  const here = placesHere(k3s, DEFAULT_PLACES, NOBODY);
  assert.equal(here.cniConf, DEFAULT_PLACES.k3sConf);
  assert.deepEqual(here.cniBins, [...DEFAULT_PLACES.k3sBins, ...DEFAULT_PLACES.cniBins]);

  const named = placesHere(k3s, DEFAULT_PLACES, { cniConf: '/a', cniBins: ['/b'] });
  assert.deepEqual([named.cniConf, named.cniBins], ['/a', ['/b']]);
});

test("in the agent's container, the folders that its flags name; from outside nothing is there", () => {
  const argv = ['/usr/bin/node', '/usr/lib/leasehold/app/leasehold.mjs', 'agent', '--cni-bin-dir=/host/bin'];
  const agent = { pid: 1, argv: [...argv, '--cni-conf-dir', '/host/net.d'] };
  const mounted = ['/host/bin', '/host/net.d', DEFAULT_PLACES.cniConf];
  const inside = quietFacts({ processes: () => [agent], list: listing(mounted) });
  const here = placesHere(inside, DEFAULT_PLACES, NOBODY);
  assert.deepEqual([here.cniConf, here.cniBins], ['/host/net.d', ['/host/bin']]);
  const named = placesHere(inside, DEFAULT_PLACES, { cniConf: '/a', cniBins: ['/b'] });
  assert.deepEqual([named.cniConf, named.cniBins], ['/a', ['/b']]);

  const outside = quietFacts({ processes: () => [agent], list: listing([DEFAULT_PLACES.cniConf]) });
  assert.deepEqual(placesHere(outside, DEFAULT_PLACES, NOBODY), DEFAULT_PLACES);
  const other = quietFacts({ processes: () => [{ pid: 1, argv }], list: listing(mounted) });
  assert.deepEqual(placesHere(other, DEFAULT_PLACES, NOBODY), DEFAULT_PLACES);
});

// containers.conf(5), network.cni_plugin_dirs
test('every folder in which podman looks for plugins', () => {
  const podmans = [
    '/usr/local/libexec/cni',
    '/usr/libexec/cni',
    '/usr/local/lib/cni',
    '/usr/lib/cni',
    '/opt/cni/bin',
  ];
  assert.deepEqual([...DEFAULT_PLACES.cniBins].sort(), podmans.sort());
});
