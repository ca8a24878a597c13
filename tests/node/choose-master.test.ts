import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { cidr } from '../../src/base/cidr.ts';
import { matches } from '../../src/node/name-pattern.ts';
import type { LinkSeen, UplinkSource } from '../../src/node/ports.ts';
import { chooseMaster, type MasterChoice } from '../../src/node/uplink.ts';

type Made = Partial<LinkSeen> & { readonly name: string };

/** A node with these links, numbered as they stand here, and default routes through some. */
function nodeWith(made: readonly Made[], routes: Readonly<Record<string, number>> = {}): UplinkSource {
  const links = made.map((link, at): LinkSeen => ({
    index: at + 1,
    mtu: 1500,
    up: true,
    lowerUp: true,
    ...link,
  }));
  return {
    links: () => Promise.resolve(links),
    link: (name) =>
      Promise.resolve(links.find((link) => link.name === name || link.altNames?.includes(name) === true)),
    linkByIndex: (index) => Promise.resolve(links.find((link) => link.index === index)),
    defaultRoutes: () =>
      Promise.resolve(
        Object.entries(routes).map(([name, metric]) => ({
          dst: cidr('0.0.0.0/0'),
          index: links.find((link) => link.name === name)?.index,
          metric,
        })),
      ),
  };
}

async function chosen(source: UplinkSource, choice: MasterChoice): Promise<string> {
  const found = await chooseMaster(source, choice);
  return found.ok ? found.value.name : `${found.error.kind}: ${found.error.text}`;
}

function names(...list: readonly string[]): MasterChoice {
  return { kind: 'names', names: list };
}

function pattern(text: string): MasterChoice {
  return { kind: 'pattern', pattern: text };
}

describe('auto', () => {
  test('is the interface with the default route of the lowest metric', async () => {
    const links = [{ name: 'lo' }, { name: 'eth0' }, { name: 'wlan0' }];
    assert.equal(await chosen(nodeWith(links, { wlan0: 600, eth0: 100 }), { kind: 'auto' }), 'eth0');
    assert.match(
      await chosen(nodeWith(links), { kind: 'auto' }),
      /^missing: no interface has a default route/,
    );
  });
});

describe('names', () => {
  test('the first that has a carrier, else the first that is up', async () => {
    const node = nodeWith([{ name: 'eth0', lowerUp: false }, { name: 'eth1' }, { name: 'eth2', up: false }]);
    assert.equal(await chosen(node, names('eth0', 'eth1')), 'eth1');
    assert.equal(await chosen(node, names('eth9', 'eth1')), 'eth1');
    // Whoever sends through it says what is wrong with it.
    assert.equal(await chosen(node, names('eth2', 'eth0')), 'eth0');
  });

  test('none: the problem of each', async () => {
    const node = nodeWith([{ name: 'eth2', up: false }]);
    assert.equal(await chosen(node, names('eth9')), 'missing: master "eth9" does not exist');
    assert.equal(
      await chosen(node, names('eth9', 'eth2')),
      'down: master "eth9" does not exist; master "eth2" is down: ip link set eth2 up',
    );
  });
});

describe('a pattern', () => {
  test('the interface with the default route, where it fits', async () => {
    const links = [{ name: 'lo' }, { name: 'enp1s0' }, { name: 'enp2s0', kind: 'veth' }, { name: 'wlan0' }];
    assert.equal(await chosen(nodeWith(links, { wlan0: 1, enp2s0: 2 }), pattern('en*')), 'enp2s0');
    assert.equal(await chosen(nodeWith(links, { wlan0: 1 }), pattern('en*')), 'enp1s0');
  });

  test('never what stands on another device, leads to a pod or is a port of a bridge', async () => {
    const node = nodeWith([
      { name: 'lo' },
      { name: 'mac0', kind: 'macvlan' },
      { name: 'veth0', kind: 'veth' },
      { name: 'eth0', controllerIndex: 6 },
      { name: 'eth1', lowerUp: false },
      { name: 'br0', kind: 'bridge' },
    ]);
    assert.equal(await chosen(node, pattern('*')), 'br0');
    assert.equal(await chosen(node, pattern('eth?')), 'eth1');
    assert.match(await chosen(node, pattern('l*')), /^missing: no interface .* matches master "l\*"$/);
  });

  test('goes by alternative names too', async () => {
    const node = nodeWith([{ name: 'eth0' }, { name: 'eth1', altNames: ['enp2s0', 'lan'] }]);
    assert.equal(await chosen(node, pattern('en*')), 'eth1');
    assert.equal(await chosen(node, pattern('l?n')), 'eth1');
    assert.equal(await chosen(node, names('nope0', 'lan')), 'eth1');
  });

  test('one that is down says so', async () => {
    const node = nodeWith([{ name: 'eth0', up: false }]);
    assert.equal(await chosen(node, pattern('eth*')), 'down: master "eth0" is down: ip link set eth0 up');
  });

  test('is as the same regular expression', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 });
    fc.assert(
      fc.property(letters, name, (text, tried) => {
        const same = new RegExp(`^${text.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        assert.equal(matches(text, tried), same.test(tried));
      }),
      { numRuns: 2000 },
    );
  });
});
