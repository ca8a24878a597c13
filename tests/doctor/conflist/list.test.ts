import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { checkConflist } from '../../../src/doctor/conflist/check.ts';
import { allOf, check, idsOf, nodeWith, one } from './support.ts';

function of(list: object): readonly string[] {
  return idsOf(check([{ type: 'leasehold' }], nodeWith(), list));
}

describe('the list', () => {
  test('the one plugin is a whole network, with nothing to say', () => {
    const report = check([{ type: 'leasehold' }], nodeWith({ services: ['10.43.0.0/16'] }));
    assert.deepEqual(idsOf(report), []);
    assert.match(report.plugins[0]?.does ?? '', /macvlan on eth0 \(default route\)/);
  });

  test('what no runtime can use', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['', /it is not JSON/],
      ['// a remark\n{}', /it is not JSON/],
      ['{"a":1,}', /it is not JSON/],
      ['['.repeat(100_000), /nests deeper/],
      ['[]', /not a JSON object/],
      ['{}', /no "plugins"/],
      ['{"plugins":[]}', /no "plugins"/],
      ['{"plugins":{}}', /no "plugins"/],
    ];
    for (const [text, why] of cases) {
      const report = checkConflist(text, nodeWith());
      assert.match(one(report, 'conflist-unreadable').title, why);
      assert.deepEqual(report.plugins, []);
    }
  });

  test('plugins that are no objects, have no type, or are too many', () => {
    const text = '{"cniVersion":"1.0.0","name":"lan","plugins":[1,{"type":"leasehold"},{}]}';
    const report = checkConflist(text, nodeWith());
    assert.match(one(report, 'conflist-unreadable').title, /plugins\[0\] is not an object/);
    assert.match(one(report, 'plugin-no-type').title, /plugins\[2\]/);
    const many = Array.from({ length: 100 }, () => ({ type: 'sbr' }));
    assert.match(one(check(many), 'conflist-unreadable').title, /more than 32/);
  });

  test('name and version', () => {
    assert.deepEqual(of({ cniVersion: '1.1.0' }), []);
    assert.deepEqual(of({ cniVersion: '0.3.1' }), ['note conflist-version']);
    assert.deepEqual(of({ cniVersion: undefined }), ['warning conflist-version']);
    for (const cniVersion of ['1.2.0', 'v1', 1, null]) {
      const found = of({ cniVersion });
      assert.ok(
        cniVersion === null
          ? found.includes('warning conflist-version')
          : found.includes('error conflist-version'),
        String(cniVersion),
      );
    }
    for (const cniVersions of [[], ['1.0.0', '1.1.0'], ['0.4', '9.9.9']])
      assert.deepEqual(of({ cniVersion: '1.0.0', cniVersions }), [], JSON.stringify(cniVersions));
    for (const cniVersions of ['1.1.0', {}, null, [1], ['1.0.0', 'newest'], ['']])
      assert.deepEqual(
        of({ cniVersion: '1.0.0', cniVersions }),
        ['error conflist-version'],
        JSON.stringify(cniVersions),
      );
    for (const name of [undefined, '', '../x', 7])
      assert.ok(of({ name }).includes('error conflist-name'), String(name));
  });

  test('keys: the nearest right one; remarks are let pass', () => {
    const report = check(
      [{ type: 'macvlan', masster: 'eth0', _why: 'a remark', ipam: { type: 'host-local', subnett: 'x' } }],
      nodeWith(),
      { disableCheck: true, pluggins: [] },
    );
    const keys = allOf(report).filter(({ id }) => id === 'key-unknown');
    assert.deepEqual(
      keys.map(({ remedy }) => remedy[0]),
      ['did you mean "plugins"?', 'did you mean "master"?', 'did you mean "subnet"?'],
    );
  });

  test('keys in another case: taken where Go reads them, refused by leasehold', () => {
    const taken = check([
      { Type: 'macvlan', Mode: 'private', IPAM: { type: 'dhcp', Priority: 5, clientid: 'mac' } },
      { type: 'route-override', FlushRoutes: true, addroutes: [{ Dst: '10.43.0.0/16', gw: '192.168.2.9' }] },
    ]);
    const notes = allOf(taken).filter(({ id }) => id === 'key-case');
    assert.deepEqual(
      notes.map(({ title, severity }) => `${severity} ${title}`),
      [
        'note plugins[0] (macvlan): "IPAM" is taken as "ipam"',
        'note plugins[0] (macvlan): "ipam.Priority" is taken as "ipam.priority"',
        'note plugins[0] (macvlan): "ipam.clientid" is taken as "ipam.clientId"',
        'note plugins[0] (macvlan): "Mode" is taken as "mode"',
        'note plugins[0] (macvlan): "Type" is taken as "type"',
        'note plugins[1] (route-override): "FlushRoutes" is taken as "flushroutes"',
        'note plugins[1] (route-override): "addroutes[0].Dst" is taken as "addroutes[0].dst"',
      ],
    );
    assert.ok(idsOf(taken).includes('warning macvlan-mode'));
    assert.match(taken.plugins[1]?.does ?? '', /removes all routes by a gateway, adds 10\.43\.0\.0\/16/);
    assert.ok(!idsOf(taken).some((id) => id.endsWith('key-unknown')));
    // Of two libcni puts the one in small letters last.
    const both = check([{ type: 'macvlan', mode: 'bridge', Mode: 'private' }]);
    assert.ok(!idsOf(both).includes('warning macvlan-mode'));

    for (const [plugin, right] of [
      [{ HostAccess: false }, 'hostAccess'],
      [{ Type: 'leasehold' }, 'type'],
      [{ dns: { Nameservers: ['192.168.2.1'] } }, 'nameservers'],
      [{ dhcp: { Provide: [] } }, 'provide'],
    ] as const) {
      const refused = one(check([{ type: 'leasehold', ...plugin }]), 'value-invalid');
      assert.match(refused.title, new RegExp(`leasehold refuses .*did you mean "${right}"\\?`));
    }
  });

  test('one plugin alone is no list', () => {
    const report = checkConflist('{"name":"lan","type":"leasehold","cniVersion":"1.0.0"}', nodeWith());
    assert.deepEqual(idsOf(report), ['note conflist-single']);
  });

  test('the order, and two that make an interface', () => {
    assert.equal(one(check([{ type: 'tuning' }, { type: 'leasehold' }]), 'chain-order').severity, 'error');
    assert.ok(idsOf(check([{ type: 'leasehold', chained: true }])).includes('error chain-order'));
    const two = check([{ type: 'macvlan', ipam: { type: 'dhcp' } }, { type: 'leasehold' }]);
    assert.match(one(two, 'chain-two-interfaces').title, /macvlan and leasehold each make an interface/);
  });

  test('never throws, whatever the plugins are', () => {
    const type = fc.constantFrom(
      'leasehold',
      'macvlan',
      'ipvlan',
      'bridge',
      'route-override',
      'tuning',
      'sbr',
      'x',
    );
    const plugin = fc.record({ type, master: fc.jsonValue(), ipam: fc.jsonValue(), mode: fc.jsonValue() });
    const odd = fc.oneof(plugin, fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue());
    fc.assert(
      fc.property(fc.array(odd), fc.jsonValue(), (plugins, name) => {
        const report = checkConflist(JSON.stringify({ name, plugins }), nodeWith());
        for (const { title } of allOf(report)) assert.ok(title.length < 1000);
      }),
      { numRuns: 300 },
    );
  });
});
