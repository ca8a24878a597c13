import assert from 'node:assert/strict';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import { viewResult } from '../../src/lab/cni-result.ts';
import type { Pod } from '../../src/lab/pods.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { CNI_BIN } from '../support/leasehold.ts';
import {
  addVariables,
  assertNothingLeft,
  callRelay,
  lanSite,
  newPod,
  type Answer,
  type LanSite,
} from './support/lan.ts';
import { startAt } from './support/site.ts';

const CONF = {
  cniVersion: '1.0.0',
  name: 'lan',
  type: 'macvlan',
  master: 'eth0',
  ipam: { type: 'dhcp' },
} as const satisfies JsonObject;

/** What goes wrong, the code, and what the message or the details must say. */
type Case = readonly [what: string, conf: JsonObject | string, code: number, says: RegExp];
type EnvCase = readonly [
  what: string,
  variables: Readonly<Record<string, string | undefined>>,
  code: number,
  says: RegExp,
];

const LARGEST = 1 << 20;

const UNDECODABLE: readonly Case[] = [
  ['nothing', '', 6, /no configuration on stdin/],
  ['not JSON', '{"cniVersion":', 6, /not JSON/],
  ['JSON and then something', '{}x', 6, /not JSON/],
  ['2 MiB', ' '.repeat(2 * LARGEST), 6, /larger than 1 MiB/],
  ['10,000 levels', '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000), 6, /deeper than 64 levels/],
  ['no object', '[]', 7, /must be a JSON object/],
];

const VERSIONS: readonly Case[] = [
  [
    'unknown cniVersion',
    { ...CONF, cniVersion: '2.0.0' },
    1,
    /cniVersion: "2\.0\.0".*0\.1\.0, 0\.2\.0.*1\.1\.0/s,
  ],
  ['cniVersion of another type', { ...CONF, cniVersion: 1 }, 7, /cniVersion: must be a string/],
  ['network without a name', { ...CONF, name: '' }, 7, /name: .*the name of the network/],
  ['network with a bad name', { ...CONF, name: '../lan' }, 7, /name: "\.\.\/lan"/],
];

const MACVLAN: readonly Case[] = [
  [
    'master that is not there',
    { ...CONF, master: 'eth9' },
    100,
    /master "eth9" does not exist.*ip link show/s,
  ],
  [
    'unknown mode',
    { ...CONF, mode: 'tunnel' },
    7,
    /mode: "tunnel" is none of bridge, private, vepa, passthru/,
  ],
  ["MTU above the master's", { ...CONF, mtu: 9000 }, 105, /mtu: 9000 is larger than the 1500 of eth0/],
  ['negative MTU', { ...CONF, mtu: -1 }, 7, /mtu: -1 is negative/],
  ['MTU that is a fraction', { ...CONF, mtu: 1400.5 }, 7, /mtu: must be a whole number/],
  ['MTU below what the kernel takes', { ...CONF, mtu: 1 }, 107, /macvlan eth0 on eth0 cannot be made/],
  [
    'multicast MAC',
    { ...CONF, mac: '01:00:5e:00:00:01' },
    7,
    /mac: 01:00:5e:00:00:01 is a multicast address/,
  ],
  ['MAC too short', { ...CONF, mac: '02:00:5e:10:00' }, 7, /mac: .* not an Ethernet address of six bytes/],
  ['MAC too long', { ...CONF, mac: '02:00:5e:10:00:01:02' }, 7, /mac: .* not an Ethernet address/],
  ['zero MAC', { ...CONF, mac: '00:00:00:00:00:00' }, 7, /mac: 00:00:00:00:00:00 is no interface's address/],
  ['MAC by capability', { ...CONF, runtimeConfig: { mac: 'no' } }, 7, /runtimeConfig\.mac: "no"/],
];

function provide(option: string, value: string): JsonObject {
  return { ...CONF, ipam: { type: 'dhcp', provide: [{ option, value }] } };
}

const OPTIONS: readonly Case[] = [
  ['option 0', provide('0', 'x'), 7, /ipam\.provide\[0\]\.option: .*1 to 254/],
  ['option 255', provide('255', 'x'), 7, /ipam\.provide\[0\]\.option: .*1 to 254/],
  ['option 300', provide('300', 'x'), 7, /ipam\.provide\[0\]\.option: .*1 to 254/],
  ['negative option', provide('-1', 'x'), 7, /ipam\.provide\[0\]\.option: /],
  ['option name with a slip', provide('host-nam', 'x'), 7, /host-nam.*"?host-name"?/],
  ['option asked for', { ...CONF, ipam: { type: 'dhcp', request: [{ option: 'ruoters' }] } }, 7, /routers/],
  ['host name over 255 bytes', provide('host-name', 'x'.repeat(256)), 7, /ipam\.provide\[0\]\.value: .*255/],
  ['client id over 255 bytes', provide('61', `0x${'00'.repeat(256)}`), 7, /ipam\.provide\[0\]\.value: .*255/],
  ['hex that is none', provide('43', '0x0g'), 7, /ipam\.provide\[0\]\.value: /],
  [
    'provide that is no list',
    { ...CONF, ipam: { type: 'dhcp', provide: 'x' } },
    7,
    /ipam\.provide: expected Array/,
  ],
  ['address that is none', { ...CONF, runtimeConfig: { ips: ['999.1.1.1'] } }, 7, /runtimeConfig\.ips: "999/],
  ['ipam type with a path', { ...CONF, ipam: { type: '../dhcp' } }, 7, /ipam\.type: /],
  ['ipam type that is not there', { ...CONF, ipam: { type: 'nosuch' } }, 140, /nosuch.*CNI_PATH/s],
];

const ENVIRONMENT: readonly EnvCase[] = [
  [
    'three variables missing: all are named',
    { CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined },
    4,
    /CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME are not set; ADD needs them/,
  ],
  ['one empty', { CNI_IFNAME: '' }, 4, /CNI_IFNAME is not set; ADD needs it/],
  ['no command', { CNI_COMMAND: undefined }, 4, /CNI_COMMAND is not set/],
  ['unknown command', { CNI_COMMAND: 'PUT' }, 4, /CNI_COMMAND: "PUT" is none of ADD, DEL/],
  ["ifname with '/'", { CNI_IFNAME: 'eth/0' }, 4, /CNI_IFNAME: "eth\/0"/],
  ['ifname of 16', { CNI_IFNAME: 'x'.repeat(16) }, 4, /CNI_IFNAME: "x{16}".*15/],
  ['ifname of 15 characters, 16 bytes', { CNI_IFNAME: `${'x'.repeat(14)}é` }, 4, /CNI_IFNAME: /],
  ['ifname ..', { CNI_IFNAME: '..' }, 4, /CNI_IFNAME: "\.\."/],
  ['container id with a path', { CNI_CONTAINERID: '../x' }, 4, /CNI_CONTAINERID: "\.\.\/x"/],
  ['several bad ones: all are named', { CNI_IFNAME: 'a:b', CNI_CONTAINERID: '-' }, 4, /CONTAINERID.*IFNAME/],
  ['arguments', { CNI_ARGS: 'MAC' }, 4, /CNI_ARGS/],
  ['namespace that is not there', { CNI_NETNS: '/run/netns/lh-no-such' }, 3, /CNI_NETNS: \S+ does not exist/],
  [
    'namespace that is a file',
    { CNI_NETNS: '/etc/hostname' },
    104,
    /CNI_NETNS: \S+ is not a network namespace/,
  ],
  ['namespace that is a folder', { CNI_NETNS: '/etc' }, 104, /CNI_NETNS: \S+ is not a network namespace/],
  ['namespace of mounts', { CNI_NETNS: `/proc/${process.pid}/ns/mnt` }, 104, /is not a network namespace/],
  [
    'namespace of the process that asks',
    { CNI_NETNS: '/proc/self/fd/3' },
    4,
    /CNI_NETNS names a file of the plugin's own process/,
  ],
  ['ifname that the kernel expands', { CNI_IFNAME: 'eth%d' }, 4, /CNI_IFNAME: "eth%d" has a "%"/],
];

function assertError(answer: Answer, code: number, says: RegExp): void {
  const { msg, details } = answer.json;
  assert.deepEqual({ status: answer.status, code: answer.json['code'] }, { status: 1, code }, answer.stdout);
  assert.ok(typeof msg === 'string' && (details === undefined || typeof details === 'string'));
  assert.match(`${msg} ${details ?? ''}`, says);
  assert.ok(answer.stdout.length < 2000 && !/\\n +at /.test(answer.stdout), answer.stdout);
}

describe('bad input through the relay', { skip: NEEDS_ROOT }, () => {
  let site: LanSite;
  let pod: Pod;
  const cleanups: (() => unknown)[] = [];

  before(async () => {
    site = await lanSite({ after: (cleanup) => void cleanups.push(cleanup as () => unknown) });
    const config = join(site.folder, 'config.json');
    await writeFile(config, '{"dhcp":{"deadlineSeconds":5,"carrierWaitSeconds":0.2}}');
    await startAt(site, { args: ['--config', config] });
    pod = await newPod(site, 'pod');
  });

  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  /** An ADD of the pod with other variables (undefined: not set) and this on stdin. */
  async function add(
    conf: JsonObject | string,
    change: Readonly<Record<string, string | undefined>> = {},
  ): Promise<Answer> {
    const variables = { ...addVariables(pod), ...change };
    const set = Object.entries(variables).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
    const stdin = typeof conf === 'string' ? conf : JSON.stringify(conf);
    return await callRelay(site, Object.fromEntries(set), stdin);
  }

  async function assertStillServes(): Promise<void> {
    const answer = await add(CONF);
    assert.equal(answer.status, 0, answer.stdout);
    assert.ok(viewResult(answer.json).address !== undefined);
    assert.equal((await add(CONF, { CNI_COMMAND: 'DEL' })).status, 0);
    await assertNothingLeft(site, pod);
  }

  for (const [group, cases] of [
    ['what cannot be read', UNDECODABLE],
    ['versions and names', VERSIONS],
    ['keys of macvlan', MACVLAN],
    ['keys of dhcp', OPTIONS],
  ] as const) {
    test(group, async (t) => {
      for (const [what, conf, code, says] of cases) {
        await t.test(what, async () => {
          assertError(await add(conf), code, says);
          await assertNothingLeft(site, pod);
        });
      }
      await assertStillServes();
    });
  }

  test('CNI variables', async (t) => {
    for (const [what, change, code, says] of ENVIRONMENT) {
      await t.test(what, async () => {
        assertError(await add(CONF, change), code, says);
        await assertNothingLeft(site, pod);
      });
    }
    const own = { CNI_NETNS: site.lan.node.namespace.path };
    assertError(await add(CONF, own), 104, /the node's own network namespace/);
    assertError(await add(CONF, { CNI_ARGS: 'MAC=02:00' }), 7, /CNI_ARGS MAC: "02:00"/);
    assertError(await add(CONF, { CNI_ARGS: 'IP=here' }), 7, /CNI_ARGS IP: "here"/);
    await assertStillServes();
  });

  test('a DEL by the files of the process that asks goes by what the daemon remembers', async () => {
    assert.equal((await add(CONF)).status, 0);
    const del = { CNI_COMMAND: 'DEL', CNI_NETNS: '/proc/self/fd/3' };
    assert.equal((await add(CONF, del)).status, 0);
    await assertNothingLeft(site, pod);
  });

  test('the name of the interface is taken', async () => {
    await pod.namespace.ip('link', 'add', 'eth0', 'type', 'bridge');
    assertError(await add(CONF), 103, /CNI_IFNAME: the container already has an interface eth0/);
    await assertNothingLeft(site, pod, ['lo', 'eth0']);
    await pod.namespace.ip('link', 'del', 'eth0');
    await assertStillServes();
  });

  test('the master is down, has no carrier, or is not to be found', async () => {
    const { node, router } = site.lan;
    await router.ip('link', 'set', node.port, 'down');
    assertError(await add(CONF), 102, /eth0 has no carrier/);
    await assertNothingLeft(site, pod);
    await node.namespace.ip('link', 'set', 'eth0', 'down');
    assertError(await add(CONF), 101, /master "eth0" is down: ip link set eth0 up/);
    // The default route went with the link.
    const { master: _, ...unnamed } = CONF;
    assertError(await add(unnamed), 100, /no interface has a default route: name the uplink in "master"/);
    await assertNothingLeft(site, pod);
    await node.namespace.ip('link', 'set', 'eth0', 'up');
    await router.ip('link', 'set', node.port, 'up');
    await assertStillServes();
  });

  test('a plugin that the daemon does not have', async () => {
    const variables = addVariables(pod);
    const other = join(site.lan.folder, 'ipvlan');
    await symlink(join(CNI_BIN, 'leasehold'), other);
    const answer = await callRelay(site, variables, JSON.stringify(CONF), other);
    assertError(
      answer,
      170,
      /"ipvlan" is no plugin type of this daemon \(dhcp, leasehold, macvlan, route-override\)/,
    );
    await assertStillServes();
  });
});
