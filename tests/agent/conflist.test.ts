import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { conflistProblem } from '../../src/agent-conflist.ts';
import { emptySite, LEASEHOLD } from '../daemon/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { agentArguments, assertInstalled, foldersIn, namesIn, startAgent } from './support/agents.ts';

const LEASEHOLD_ALONE = ['leasehold'];
const WITH_DROP_INS = ['leasehold', 'dhcp', 'macvlan', 'route-override'];

function list(...plugins: readonly object[]): string {
  return JSON.stringify({ cniVersion: '1.0.0', name: 'lan', plugins });
}

describe('a network configuration that would take a node off its network is refused:', () => {
  for (const [what, text, message] of [
    ['no name', '{"cniVersion":"1.0.0","plugins":[{"type":"leasehold"}]}', /^"name" is missing$/],
    ['a name that runtimes refuse', '{"name":"a b","plugins":[{"type":"leasehold"}]}', /"name" must begin/],
    ['another version', '{"cniVersion":"9.0.0","name":"a","plugins":[{"type":"leasehold"}]}', /9\.0\.0/],
    ['no plugins', list(), /no plugin in it is one of leasehold, so nobody/],
    ['plugins of others alone', list({ type: 'bridge' }, { type: 'portmap' }), /no plugin in it/],
    ['a plugin without type', list({ type: 'leasehold' }, { master: 'eth0' }), /plugins\[1\] has no "type"/],
    ['a plugin that is none', '{"name":"a","plugins":["leasehold"]}', /plugins\[0\] is no object/],
    ['a misspelled key', list({ type: 'leasehold', mastr: 'eth0' }), /plugins\[0\]: .*mastr.*"master"/],
    [
      'a value that cannot be',
      list({ type: 'leasehold', dhcp: { hostname: 7 } }),
      /plugins\[0\]: .*hostname/,
    ],
    ['a drop-in that is not installed', list({ type: 'macvlan', ipam: { type: 'dhcp' } }), /no plugin in it/],
  ] as const) {
    test(what, () => {
      assert.match(conflistProblem(text, LEASEHOLD_ALONE) ?? '', message);
    });
  }

  test('and no other', () => {
    for (const text of [
      list({ type: 'leasehold' }),
      '{"name":"lan","plugins":[{"type":"leasehold","master":"eth9"}]}',
      list({ type: 'leasehold', identity: 'pod' }, { type: 'portmap', capabilities: { portMappings: true } }),
      list({ type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } }, { type: 'leasehold', chained: true }),
    ]) {
      assert.equal(conflistProblem(text, LEASEHOLD_ALONE), undefined);
    }
    assert.equal(
      conflistProblem(list({ type: 'macvlan', ipam: { type: 'host-local' } }), WITH_DROP_INS),
      undefined,
    );
    assert.equal(conflistProblem(list({ type: 'bridge', ipam: { type: 'dhcp' } }), WITH_DROP_INS), undefined);
  });
});

test(
  'an agent with such a one ends before it puts anything, and the one that serves goes on',
  {
    skip: NEEDS_ROOT,
  },
  async (t) => {
    const site = await emptySite(t);
    const file = join(site.folder, 'broken.conflist');
    await writeFile(file, list({ type: 'leasehold', mastr: 'eth0' }));
    const start = async (name: string): Promise<void> => {
      const more = ['--conflist', file, '--probe-socket', join(site.folder, name, 'probe.sock')];
      const { status, stderr } = await site.namespace.runToEnd([LEASEHOLD, ...agentArguments(site), ...more]);
      assert.equal(status, 1);
      assert.match(stderr, /^leasehold: --conflist \/.*\.conflist: plugins\[0\]: .*mastr/m);
    };
    await start('first');
    assert.deepEqual(namesIn(foldersIn(site).conf), []);
    const agent = await startAgent(site, 'agent');
    await start('next');
    assertInstalled(site);
    assert.equal(agent.process.ended(), undefined);
  },
);
