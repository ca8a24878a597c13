import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import type { Rtnl } from '../../src/kernel/rtnl.ts';
import type { Rule } from '../../src/wire/netlink/rule.ts';
import { asRoot, Sandbox } from './support/sandbox.ts';

const BIG_TABLE = 100_000;
const LOOKUP = 1;
/** Free in iproute2's rt_protos. */
const PROTOCOL = 76;

/** Without the kernel's own three, which come from everywhere. */
async function rulesFrom(rtnl: Rtnl, family: 4 | 6): Promise<readonly Rule[]> {
  return (await rtnl.rules.list(family)).filter((rule) => rule.from !== undefined);
}

for (const [family, from] of [
  [4, cidr('192.168.2.7/32')],
  [6, cidr('fd00::7/128')],
] as const) {
  test(`a rule of IPv${family} comes out as it went in, and goes again`, asRoot, async () => {
    await using sandbox = new Sandbox('rule');
    const rtnl = sandbox.rtnl(sandbox.namespace('a'));
    const rule = { from, table: BIG_TABLE, priority: 1000, protocol: PROTOCOL };
    await rtnl.rules.add(rule);
    assert.deepEqual(await rulesFrom(rtnl, family), [{ ...rule, family, action: LOOKUP }]);
    const op = `RTM_NEWRULE from ${from.address}/${from.prefix} lookup ${BIG_TABLE}`;
    await assert.rejects(rtnl.rules.add(rule), { code: 'EEXIST', op });
    await rtnl.rules.delete(rule);
    assert.deepEqual(await rulesFrom(rtnl, family), []);
    await assert.rejects(rtnl.rules.delete(rule), { code: 'ENOENT' });
  });
}

test('rules are asked in the order of their priorities, before the table main', asRoot, async () => {
  await using sandbox = new Sandbox('rule');
  const rtnl = sandbox.rtnl(sandbox.namespace('a'));
  await rtnl.rules.add({ from: cidr('10.9.0.2/32'), table: 200, priority: 2000 });
  await rtnl.rules.add({ from: cidr('10.8.0.9/16'), table: 201, priority: 1000 });
  // The kernel's own: 0 local, 32766 main, 32767 default.
  assert.deepEqual(
    (await rtnl.rules.list(4)).map(({ priority, table }) => [priority, table]),
    [
      [0, 255],
      [1000, 201],
      [2000, 200],
      [32_766, 254],
      [32_767, 253],
    ],
  );
  assert.deepEqual(
    sandbox.ip('a', 'rule', 'show', 'from', '10.8.0.0/16').map((seen) => [seen['src'], seen['srclen']]),
    [['10.8.0.0', 16]],
  );
});

test('a rule is deleted by what is given: another table or source stays', asRoot, async () => {
  await using sandbox = new Sandbox('rule');
  const rtnl = sandbox.rtnl(sandbox.namespace('a'));
  const rule = { from: cidr('10.9.0.2/32'), table: 200 };
  await rtnl.rules.add({ ...rule, priority: 1000 });
  await assert.rejects(rtnl.rules.delete({ ...rule, table: 201 }), { code: 'ENOENT' });
  await assert.rejects(rtnl.rules.delete({ ...rule, from: cidr('10.9.0.3/32') }), { code: 'ENOENT' });
  assert.equal((await rulesFrom(rtnl, 4)).length, 1);
  await rtnl.rules.delete(rule);
  assert.equal((await rulesFrom(rtnl, 4)).length, 0);
});
