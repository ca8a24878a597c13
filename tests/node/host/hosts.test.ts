import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { Hosts } from '../../../src/node/host/hosts.ts';

const ADDRESS = ipv4('192.168.2.93');
const [FIRST, SECOND, NEW] = [mac('de:00:00:00:00:01'), mac('de:00:00:00:00:02'), mac('de:00:00:00:00:03')];

test('the first claim wins, however often another one is made, and the next has it when that leaves', () => {
  const hosts = new Hosts();
  hosts.claim(ADDRESS, 'first', FIRST);
  hosts.claim(ADDRESS, 'second', SECOND);
  hosts.claim(ADDRESS, 'second', SECOND);
  assert.equal(hosts.macs.get(ADDRESS), FIRST);
  hosts.claim(ADDRESS, 'first', NEW);
  assert.equal(hosts.macs.get(ADDRESS), NEW, 'whoever has it may get another MAC');
  assert.equal(hosts.release(ADDRESS, 'nobody'), NEW);
  assert.equal(hosts.release(ADDRESS, 'first'), SECOND);
  assert.equal(hosts.release(ADDRESS, 'second'), undefined);
  assert.equal(hosts.macs.size, 0);
});
