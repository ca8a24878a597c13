import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { shimAlias } from '../../src/node/host/shim.ts';
import type { LinkSeen, UplinkSource } from '../../src/node/ports.ts';
import { chooseMaster } from '../../src/node/uplink.ts';

const UP = { mtu: 1500, up: true, lowerUp: true };
const ETH0: LinkSeen = { ...UP, index: 2, name: 'eth0' };
const SHIM: LinkSeen = {
  ...UP,
  index: 3,
  name: 'lh0',
  kind: 'macvlan',
  alias: shimAlias('eth0'),
  masterIndex: 2,
};

/** A network manager has given the shim a default route, before or instead of the uplink's own. */
function managed(links: readonly LinkSeen[], ...routes: readonly number[]): UplinkSource {
  return {
    links: () => Promise.resolve(links),
    link: (name) => Promise.resolve(links.find((link) => link.name === name)),
    linkByIndex: (index) => Promise.resolve(links.find((link) => link.index === index)),
    defaultRoutes: () => Promise.resolve(routes.map((index) => ({ dst: cidr('0.0.0.0/0'), index }))),
  };
}

test('a default route by the shim leads to the uplink below it', async () => {
  for (const source of [managed([ETH0, SHIM], 3, 2), managed([ETH0, SHIM], 3)]) {
    for (const choice of [{ kind: 'auto' }, { kind: 'pattern', pattern: '*' }] as const) {
      const found = await chooseMaster(source, choice);
      assert.equal(found.ok && found.value.name, 'eth0');
    }
  }
});

test('a macvlan that is no shim may be an uplink: some nodes have nothing else', async () => {
  const found = await chooseMaster(managed([ETH0, { ...SHIM, alias: undefined }], 3), { kind: 'auto' });
  assert.equal(found.ok && found.value.name, 'lh0');
});

test('an ipvlan is no uplink: pods have MAC addresses of their own', async () => {
  const ipvlan: LinkSeen = { ...SHIM, name: 'iv0', kind: 'ipvlan', alias: undefined };
  const auto = await chooseMaster(managed([ETH0, ipvlan], 3), { kind: 'auto' });
  assert.match(
    auto.ok ? '' : auto.error.text,
    /^iv0 is an ipvlan, .* name the interface below it in "master"$/,
  );
  const fitting = await chooseMaster(managed([ETH0, ipvlan], 3), { kind: 'pattern', pattern: '*' });
  assert.equal(fitting.ok && fitting.value.name, 'eth0');
});
