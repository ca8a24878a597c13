import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { utf8 } from '../../../src/base/bytes.ts';
import { cidr } from '../../../src/base/cidr.ts';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../../src/base/json.ts';
import { DHCP_DESCRIBED, KEYS_DESCRIBED } from '../../../src/cni/leasehold/described.ts';
import { readLeaseholdConf, toMacvlanConf } from '../../../src/cni/leasehold/conf.ts';
import { readMacvlanConf } from '../../../src/cni/plugins/macvlan-conf.ts';
import { decodeConf, type NetConf } from '../../../src/cni/spec/conf.ts';
import { leaseholdSchema } from '../../../scripts/leasehold-schema.ts';
import { problemsOf } from '../../support/json-schema.ts';

const FILE = new URL('../../../schema/leasehold.schema.json', import.meta.url);

function readJson(at: URL): JsonObject {
  const json = parseJson(readFileSync(at, 'utf8'));
  assert.ok(json.ok && isJsonObject(json.value), at.pathname);
  return json.value;
}

const SCHEMA = readJson(FILE);

/** The examples of one folder, by the name of their file. */
function examples(kind: 'good' | 'bad'): readonly (readonly [string, JsonObject])[] {
  const folder = new URL(`${kind}/`, import.meta.url);
  return readdirSync(folder).map((name) => [name, readJson(new URL(name, folder))]);
}

function confOf(raw: JsonObject): NetConf {
  const conf = decodeConf(utf8(JSON.stringify({ cniVersion: '1.0.0', name: 'lan', ...raw })));
  if (!conf.ok) throw conf.error;
  return conf.value;
}

function read(raw: JsonObject): ReturnType<typeof readLeaseholdConf> {
  return readLeaseholdConf(confOf(raw));
}

/** A list as the runtime takes it apart, or one plugin. */
function pluginsOf(conf: JsonObject): readonly JsonObject[] {
  const { plugins } = conf;
  const all: readonly (Json | undefined)[] = Array.isArray(plugins) ? plugins : [conf];
  return all.filter(isJsonObject).filter((plugin) => plugin['type'] === 'leasehold');
}

describe('the reader and the schema judge alike', () => {
  for (const [name, conf] of examples('good')) {
    test(`good: ${name}`, () => {
      const plugins = pluginsOf(conf);
      assert.ok(plugins.length > 0);
      for (const plugin of plugins) {
        read(plugin);
        assert.deepEqual(problemsOf(SCHEMA, plugin, SCHEMA), []);
      }
      assert.deepEqual(problemsOf(SCHEMA, conf, SCHEMA), []);
    });
  }

  for (const [name, { message, plugin }] of examples('bad')) {
    test(`bad: ${name}`, () => {
      assert.ok(isJsonObject(plugin) && typeof message === 'string');
      assert.throws(
        () => read(plugin),
        (error: { readonly code?: unknown; readonly message?: unknown }) => {
          assert.equal(error.code, 7);
          assert.equal(String(error.message).slice(0, message.length), message);
          return true;
        },
      );
      assert.notDeepEqual(problemsOf(SCHEMA, plugin, SCHEMA), []);
      const list = { cniVersion: '1.0.0', name: 'lan', plugins: [plugin] };
      assert.notDeepEqual(problemsOf(SCHEMA, list, SCHEMA), []);
    });
  }

  test('the shipped file is what the code generates: node scripts/generate-schema.ts', () => {
    assert.deepEqual(SCHEMA, JSON.parse(JSON.stringify(leaseholdSchema())));
  });

  test('so are its examples and defaults', () => {
    for (const [key, { examples: all, default: usual }] of Object.entries(KEYS_DESCRIBED)) {
      for (const value of [...all, ...(usual === undefined ? [] : [usual])]) {
        const plugin = { type: 'leasehold', [key]: value };
        read(plugin);
        assert.deepEqual(problemsOf(SCHEMA, plugin, SCHEMA), [], key);
      }
    }
    for (const [key, { examples: all }] of Object.entries(DHCP_DESCRIBED)) {
      for (const value of all) {
        const plugin = { type: 'leasehold', dhcp: { [key]: value } };
        read(plugin);
        assert.deepEqual(problemsOf(SCHEMA, plugin, SCHEMA), [], key);
      }
    }
  });
});

describe('what is read', () => {
  test('nothing stated: the defaults', () => {
    assert.deepEqual(read({ type: 'leasehold' }), {
      mode: 'macvlan',
      master: { kind: 'auto' },
      mtu: undefined,
      mac: undefined,
      dhcp: {},
      identity: undefined,
      hostAccess: true,
      services: 'auto',
      lastHop: true,
      routes: { use: 'all', metric: undefined, table: undefined },
      conflictCheck: undefined,
      chained: false,
    });
  });

  test('masters and services in their forms', () => {
    assert.deepEqual(read({ master: 'eth0' }).master, { kind: 'names', names: ['eth0'] });
    assert.deepEqual(read({ master: ['auto'] }).master, { kind: 'names', names: ['auto'] });
    assert.deepEqual(read({ master: 'e?h*' }).master, { kind: 'pattern', pattern: 'e?h*' });
    // Host bits are cleared.
    assert.deepEqual(read({ services: '10.43.0.1/16' }).services, [cidr('10.43.0.0/16')]);
    assert.equal(read({ services: 'off' }).services, 'off');
    assert.deepEqual(read({ services: '10.0.0.0/8' }).services, [cidr('10.0.0.0/8')]);
    for (const services of ['10.0.0.0/7', ['10.43.0.0/16', '128.0.0.0/1']]) {
      assert.throws(() => read({ services }), {
        code: 7,
        message: /services.*not an IPv4 network of \/8 to \/32/,
      });
    }
    assert.equal(read({ mac: '02-00-5E-10-00-01' }).mac, '02:00:5e:10:00:01');
  });

  test('a name of too many bytes is refused by the reader alone, which knows the kernel', () => {
    assert.throws(() => read({ master: 'é'.repeat(64) }), { code: 7, message: /longer than 127 bytes/ });
    for (const master of ['e\u202eth', ['eth0', 'e\u200bth'], 'e\u2066*']) {
      assert.throws(() => read({ master }), {
        code: 7,
        message: /^master: "[ -~]+" has .* control or format character$/,
      });
    }
  });

  test('a key in another case is refused where the schema takes any, with the right spelling', () => {
    const cases: readonly (readonly [JsonObject, string])[] = [
      [{ Dns: {} }, 'Dns: is no key: did you mean "dns"? (small and capital letters count)'],
      [{ dns: { Search: [] } }, 'dns.Search: is no key: did you mean "search"?'],
      [{ args: { CNI: {} } }, 'args.CNI: is no key: did you mean "cni"?'],
      [{ args: { cni: { MAC: '02:00:5e:10:00:01' } } }, 'args.cni.MAC: is no key: did you mean "mac"?'],
      [{ runtimeConfig: { IPs: [] } }, 'runtimeConfig.IPs: is no key: did you mean "ips"?'],
      [{ dhcp: { request: [{ Option: 'a' }] } }, 'dhcp.request[0].Option: is no key: did you mean "option"?'],
      [{ 'ma\u017Fter': 'eth0' }, '"ma\u017Fter": is no key: did you mean "master"?'],
    ];
    for (const [raw, message] of cases) {
      assert.throws(
        () => read(raw),
        (error: Error) => error.message.startsWith(message),
        message,
      );
    }
    // What others put there is theirs.
    read({ args: { cni: { Other: 1 }, labels: { Dns: 1 } }, capabilities: { MAC: true } });
  });

  test('what nobody expects is bounded and named', () => {
    assert.throws(
      () => read({ ['x'.repeat(5000)]: 1 }),
      ({ message }: Error) => message.length < 400,
    );
    assert.throws(() => read({ 'a\n\u001b[31mb': 1 }), { message: /^"a\\n\\u001b\[31mb": is no key/ });
  });
});

function macvlanOf(raw: JsonObject, master?: string): NetConf {
  const conf = confOf({ type: 'leasehold', ...raw });
  return toMacvlanConf(conf, readLeaseholdConf(conf), master);
}

function macAndClientId(raw: JsonObject): readonly (Json | undefined)[] {
  const made = macvlanOf(raw);
  return [made.raw['mac'], made.ipam?.['clientId']];
}

describe('as the plugins macvlan and dhcp read it', () => {
  test('nothing stated, nothing of identity: the daemon has the word', () => {
    const { raw, ipam, ipamType } = macvlanOf({});
    assert.deepEqual(ipam, { type: 'dhcp', routes: { use: 'all' } });
    assert.equal(ipamType, 'dhcp');
    assert.deepEqual(raw, { cniVersion: '1.0.0', name: 'lan', type: 'leasehold', mode: 'bridge', ipam });
  });

  test('what is stated goes to its place, standard keys stay', () => {
    const { raw, ipam } = macvlanOf(
      {
        master: 'en*',
        mtu: 1400,
        mac: '02-00-5E-10-00-01',
        dhcp: { hostname: '{pod}' },
        conflictCheck: 'off',
        services: 'off',
        lastHop: false,
        routes: { use: 'subnet', metric: 5, table: 100 },
        args: { cni: {} },
      },
      'enp1s0',
    );
    assert.deepEqual(ipam, {
      type: 'dhcp',
      hostname: '{pod}',
      conflictCheck: 'off',
      routes: { use: 'subnet', metric: 5, table: 100 },
    });
    assert.deepEqual(raw, {
      cniVersion: '1.0.0',
      name: 'lan',
      type: 'leasehold',
      args: { cni: {} },
      mode: 'bridge',
      master: 'enp1s0',
      mtu: 1400,
      mac: '02:00:5e:10:00:01',
      ipam,
    });
    const args = { values: new Map<string, string>(), ignoreUnknown: true };
    assert.equal(readMacvlanConf(macvlanOf({ mac: 'random' }), args).mac, undefined);
  });

  test('identity is shorthand; what is stated itself wins', () => {
    assert.deepEqual(macAndClientId({ identity: 'pod' }), ['pod', 'pod']);
    assert.deepEqual(macAndClientId({ identity: 'container' }), ['random', 'container']);
    assert.deepEqual(macAndClientId({ identity: 'pod', mac: 'random' }), ['random', 'pod']);
    assert.deepEqual(macAndClientId({ identity: 'pod', dhcp: { clientId: 'mac' } }), ['pod', 'mac']);
  });
});
