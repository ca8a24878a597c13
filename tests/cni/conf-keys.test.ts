import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import type { JsonObject } from '../../src/base/json.ts';
import { dhcpPluginsOf } from '../../src/cni/adopt/cached.ts';
import { CONF_KEYS } from '../../src/cni/plugins/conf-keys.ts';
import { readDhcpConf } from '../../src/cni/plugins/dhcp-conf.ts';
import { readMacvlanConf } from '../../src/cni/plugins/macvlan-conf.ts';
import { parseOverride } from '../../src/cni/route-override/config.ts';
import { NO_ARGS } from '../../src/cni/spec/args.ts';
import { answerVersion, decodeConf, type NetConf, readPrevResult } from '../../src/cni/spec/conf.ts';
import { MAC, SETTINGS, WEB } from './dhcp/support.ts';

function confOf(plugin: string, keys: JsonObject): NetConf {
  const conf = decodeConf(utf8(JSON.stringify(keys)), CONF_KEYS.get(plugin));
  assert.ok(conf.ok, conf.ok ? '' : conf.error.message);
  return conf.value;
}

test('macvlan: every key, what the runtime says of a container too', () => {
  const conf = confOf('macvlan', {
    CNIVersion: '1.0.0',
    Name: 'lan',
    Type: 'macvlan',
    Master: 'eth1',
    Mode: 'vepa',
    MTU: 1400,
    Mac: '02:00:5e:10:00:02',
    LinkInContainer: true,
    BcQueueLen: 7,
    RuntimeConfig: { MAC: '02:00:5e:10:00:03' },
    Dns: { NameServers: ['192.168.2.1'], Search: ['example.org'] },
  });
  assert.equal(conf.cniVersion, '1.0.0');
  assert.deepEqual(readMacvlanConf(conf, NO_ARGS), {
    master: 'eth1',
    mode: 'vepa',
    mtu: 1400,
    mac: '02:00:5e:10:00:03',
    linkInContainer: true,
    bcQueueLen: 7,
  });
  assert.deepEqual(conf.dns, { nameservers: ['192.168.2.1'], search: ['example.org'], options: [] });
});

test('dhcp: its section whatever plugin calls it, the keys in its lists too', () => {
  const conf = confOf('dhcp', {
    cniVersion: '1.0.0',
    name: 'lan',
    type: 'bridge',
    mtu: 1400,
    args: { CNI: { IPs: ['192.168.2.50'] } },
    IPAM: {
      Type: 'dhcp',
      Provide: [{ Option: 'vendor-class-identifier', FromArg: 'K8S_POD_NAME' }],
      Request: [{ Option: 'ntp-servers', SkipDefault: true }],
      Priority: 5,
      FQDN: { Name: 'a.example.org', Update: 'none' },
      RapidCommit: false,
      Routes: { Use: 'subnet' },
    },
  });
  assert.equal(conf.ipamType, 'dhcp');
  const { clientFor, apply } = readDhcpConf(conf, WEB, SETTINGS);
  const client = clientFor(MAC);
  assert.equal(client.send['60'], Buffer.from('web-0').toString('hex'));
  assert.ok(client.send['81'] !== undefined);
  assert.deepEqual(client.parameterRequest, [42]);
  assert.equal(client.requestedAddress, '192.168.2.50');
  assert.equal(client.rapidCommit, false);
  assert.deepEqual({ metric: apply.metric, routes: apply.routes }, { metric: 5, routes: 'subnet' });
});

test('route-override: in the file and in args.cni', () => {
  const conf = confOf('route-override', {
    cniVersion: '1.0.0',
    name: 'lan',
    FlushRoutes: true,
    AddRoutes: [{ Dst: '10.43.0.0/16', GW: '192.168.2.9' }],
    Args: { cni: { SkipCheck: true } },
  });
  const read = parseOverride(conf);
  assert.ok(read.ok);
  assert.equal(read.value.flushRoutes, true);
  assert.equal(read.value.skipCheck, true);
  assert.equal(read.value.addRoutes[0]?.gateway, '192.168.2.9');
});

test('leasehold takes no key for another', () => {
  const conf = confOf('leasehold', { cniVersion: '1.0.0', name: 'lan', Mode: 'macvlan' });
  assert.deepEqual(conf.raw, { cniVersion: '1.0.0', name: 'lan', Mode: 'macvlan' });
});

test('a result of another plugin, whoever reads it', () => {
  const prevResult = {
    CniVersion: '1.0.0',
    Interfaces: [{ Name: 'eth0', Sandbox: '/run/netns/x' }],
    IPs: [{ Address: '192.168.2.50/24', Interface: 0 }],
    Routes: [{ Dst: '0.0.0.0/0', GW: '192.168.2.1' }],
  };
  const read = readPrevResult(confOf('leasehold', { cniVersion: '1.0.0', name: 'lan', prevResult }));
  assert.ok(read.ok && read.value !== undefined);
  assert.equal(read.value.ips[0]?.interface, 0);
  assert.equal(read.value.routes[0]?.gw, '192.168.2.1');
  assert.equal(read.value.interfaces[0]?.sandbox, '/run/netns/x');
});

test('the version of an error is that of the configuration, however it is written', () => {
  const bytes = utf8('{"CniVersion":"0.4.0","name":7}');
  assert.equal(answerVersion(bytes, CONF_KEYS.get('macvlan')), '0.4.0');
  assert.equal(answerVersion(bytes, CONF_KEYS.get('leasehold')), '1.1.0');
});

test('a lease of a Go daemon is found in the cache of a runtime likewise', () => {
  const plugins = [{ Type: 'bridge', IPAM: { Type: 'dhcp', Priority: 5 }, Capabilities: { ips: true } }];
  const [found] = dhcpPluginsOf({
    containerId: 'c',
    network: 'lan',
    ifname: 'eth0',
    netns: undefined,
    args: '',
    capabilityArgs: { ips: ['192.168.2.50'] },
    config: { cniVersion: '1.0.0', name: 'lan', plugins },
    result: {},
  });
  assert.equal(found?.type, 'bridge');
  const conf = decodeConf(found.stdin);
  assert.ok(conf.ok);
  assert.deepEqual(conf.value.ipam, { type: 'dhcp', priority: 5 });
  assert.deepEqual(conf.value.runtimeConfig, { ips: ['192.168.2.50'] });
});
