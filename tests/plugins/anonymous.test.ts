import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import type { JsonObject } from '../../src/base/json.ts';
import { IPV4_ANY } from '../../src/base/ipv4.ts';
import { isLocalMac, isMulticastMac, type Mac, macToBytes } from '../../src/base/mac.ts';
import { BRIDGE } from '../../src/lab/home-lan.ts';
import type { ServerKind } from '../../src/lab/server.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { DHCP_MESSAGE_TYPE } from '../../src/wire/dhcp4/message-type.ts';
import { capture, type Captured } from '../faults/support/capture.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressesOf } from './support/kernel-view.ts';
import { addressIn, type Attached, macIn, macvlan, networkOf, type Site, useSite } from './support/site.ts';

type Dhcp = Extract<Captured, { readonly kind: 'dhcp' }>;

const POD = { IgnoreUnknown: '1', K8S_POD_NAMESPACE: 'shop', K8S_POD_NAME: 'web-0' };
/** RFC 7844 section 3: the options that MUST or MAY be in a message, by its type. */
const ALLOWED: ReadonlyMap<number | undefined, readonly number[]> = new Map([
  [DHCP_MESSAGE_TYPE.DHCPDISCOVER, [53, 55, 61]],
  [DHCP_MESSAGE_TYPE.DHCPREQUEST, [50, 53, 54, 55, 61]],
  [DHCP_MESSAGE_TYPE.DHCPRELEASE, [53, 54, 61]],
]);
/** The MAC address of a link-local address of this kind (RFC 4291 appendix A). */
const EUI64 = /^fe80::(?<a>[0-9a-f]{1,4}):(?<b>[0-9a-f]{1,2})ff:fe(?<c>[0-9a-f]{2}):(?<d>[0-9a-f]{1,4})$/;

const LEASEHOLD = networkOf([{ type: 'leasehold', identity: 'anonymous' }], { cniVersion: '1.1.0' });
const MACVLAN = networkOf([macvlan({}, { clientId: 'anonymous' })], { cniVersion: '1.1.0' });
const OPEN = networkOf([macvlan({ mac: 'pod' }, { clientId: 'pod', hostname: '{pod}' })]);

type Life = { readonly attached: Attached; readonly mac: Mac; readonly frames: readonly Dhcp[] };

/** ADD and DEL of a pod of this name, and all that it sent to the DHCP server meanwhile. */
async function lifeOf(site: Site, network: typeof LEASEHOLD): Promise<Life> {
  const wire = await capture(site.lan.router, BRIDGE, site.lan);
  const attached = await site.add(network, { args: POD });
  const mac = macIn(attached.result);
  await site.del(attached);
  await site.waitForNoLease(mac);
  const sent = (frames: readonly Captured[]): readonly Dhcp[] =>
    frames
      .filter((frame): frame is Dhcp => frame.kind === 'dhcp' && frame.message.chaddr === mac)
      .filter(({ message }) => message.op === 'request');
  const frames = await waitFor('the RELEASE to be captured', async () => {
    const all = sent(await wire.frames());
    return all.some(({ message }) => typeOf(message) === DHCP_MESSAGE_TYPE.DHCPRELEASE) && all;
  });
  await wire.stop();
  return { attached, mac, frames };
}

function typeOf({ options }: Dhcp['message']): number | undefined {
  return options.get(53)?.[0];
}

/** All that a message says of its own, as hex. */
function wordsOf({ message }: Dhcp): string {
  const { options, sname, file } = message;
  return [toHex(utf8(sname + file)), ...[...options.values()].map((bytes) => toHex(bytes))].join(' ');
}

/** What would tell that two lives are of one pod: each by its name. */
function tracesOf({ mac, frames }: Life): ReadonlyMap<string, string> {
  const traces = new Map<string, string>([['MAC address', mac]]);
  for (const { message, fromMac } of frames) {
    traces.set(`source of ${fromMac}`, fromMac);
    traces.set(`xid ${message.xid}`, String(message.xid));
    for (const [code, bytes] of message.options) {
      // What it is of, what it asks for, of which server: said by every client.
      if (![50, 53, 54, 55].includes(code)) traces.set(`option ${code} ${toHex(bytes)}`, toHex(bytes));
    }
  }
  return traces;
}

function inCommon(one: Life, other: Life): readonly string[] {
  const seen = new Set(tracesOf(other).values());
  return [...tracesOf(one)].filter(([, value]) => seen.has(value)).map(([what]) => what);
}

/** Addresses that the node remembers of clients that are gone. */
async function remembered({ daemon }: Site): Promise<string> {
  return await readFile(join(daemon.stateDir, 'past', 'addresses'), 'utf8');
}

function assertAnonymous({ attached, mac, frames }: Life): void {
  assert.ok(isLocalMac(mac) && !isMulticastMac(mac), mac);
  const { containerId } = attached.attachment;
  for (const frame of frames) {
    const { message, fromMac } = frame;
    const codes = [...message.options.keys()];
    const allowed = ALLOWED.get(typeOf(message));
    assert.ok(allowed !== undefined);
    assert.deepEqual(
      codes.filter((code) => !allowed.includes(code)),
      [],
      `type ${typeOf(message)}`,
    );
    assert.equal(fromMac, mac);
    // RFC 7844 3.2: an address of this life, and in the message that gives it back.
    const isRelease = typeOf(message) === DHCP_MESSAGE_TYPE.DHCPRELEASE;
    assert.equal(message.ciaddr, isRelease ? addressIn(attached.result) : IPV4_ANY);
    assert.equal(toHex(message.options.get(61) ?? new Uint8Array()), `01${toHex(macToBytes(mac))}`);
    for (const word of ['shop', 'web-0', 'eth0', 'all-pods', containerId]) {
      assert.ok(!wordsOf(frame).includes(toHex(utf8(word))), word);
    }
    const list = [...(message.options.get(55) ?? [])];
    if (list.length > 0)
      assert.deepEqual(
        list.toSorted((a, b) => a - b),
        [1, 3, 6, 15, 121],
      );
    if (list.length > 0) assert.ok(list.indexOf(121) < list.indexOf(3), 'RFC 3442');
  }
  const first = frames.find(({ message }) => typeOf(message) === DHCP_MESSAGE_TYPE.DHCPDISCOVER);
  assert.ok(first !== undefined && !first.message.options.has(50), 'no address of before');
}

describe('two lives of one pod', { skip: NEEDS_ROOT }, () => {
  // What is for all networks of the node gives way.
  const site = useSite({
    dhcp: { hostname: '{pod}', mac: 'pod', send: { 'vendor-class-identifier': 'all-pods' } },
  });

  test('with identity pod: what is sent tells that it is the same, and its name', async () => {
    const [one, two] = [await lifeOf(site(), OPEN), await lifeOf(site(), OPEN)];
    assert.notEqual(await remembered(site()), '');
    const common = inCommon(one, two);
    for (const what of ['MAC address', 'option 12', 'option 61', 'option 57', 'option 60'])
      assert.ok(
        common.some((trace) => trace.startsWith(what)),
        `${what}: ${common.join(', ')}`,
      );
    assert.ok(wordsOf(one.frames[0] ?? assert.fail()).includes(toHex(utf8('web-0'))));
  });

  for (const [what, network] of [
    ['leasehold, identity anonymous', LEASEHOLD],
    ['macvlan, clientId anonymous', MACVLAN],
  ] as const) {
    test(`${what}: nothing in common, and no more than RFC 7844 allows`, async () => {
      const known = await remembered(site());
      const lives = [await lifeOf(site(), network), await lifeOf(site(), network)] as const;
      assert.deepEqual(inCommon(...lives), []);
      for (const life of lives) assertAnonymous(life);
      assert.equal(await remembered(site()), known);
    });
  }

  test('the MAC and the address stay over a restart of the daemon', async () => {
    const attached = await site().add(LEASEHOLD, { args: POD });
    await site().daemon.restart();
    const leases = await site().daemonLeases();
    const lease = leases.find(({ containerId }) => containerId === attached.attachment.containerId);
    assert.deepEqual([lease?.['mac'], lease?.['state']], [macIn(attached.result), 'bound']);
    assert.deepEqual(await addressesOf(attached.pod.namespace), [`${addressIn(attached.result)}/24`]);
    await site().daemon.runtime.check(LEASEHOLD, attached.attachment);
    await site().del(attached);
  });

  test('the IPv6 link-local address says no more than the MAC', async () => {
    const attached = await site().add(LEASEHOLD, { args: POD });
    const text = await attached.pod.namespace.run(['ip', '-6', '-o', 'addr', 'show', 'dev', 'eth0']);
    const address = /inet6 (fe80[0-9a-f:]+)/.exec(text)?.[1] ?? assert.fail(text);
    const { a = '', b = '', c = '', d = '' } = EUI64.exec(address)?.groups ?? assert.fail(address);
    const id = `${a.padStart(4, '0')}${b.padStart(2, '0')}${c}${d.padStart(4, '0')}`;
    const universal = (Number.parseInt(id.slice(0, 2), 16) ^ 2).toString(16).padStart(2, '0');
    assert.equal(universal + id.slice(2), toHex(macToBytes(macIn(attached.result))));
    await site().del(attached);
  });

  test('a pod that is gone without a DEL: the RELEASE of the host says no more either', async () => {
    const attached = await site().add(LEASEHOLD, { args: POD });
    const mac = macIn(attached.result);
    const wire = await capture(site().lan.router, BRIDGE, site().lan);
    await attached.pod.namespace.ip('link', 'del', 'eth0');
    await site().del(attached);
    const release = await waitFor('the RELEASE', async () =>
      (await wire.frames()).find(
        (frame): frame is Dhcp =>
          frame.kind === 'dhcp' &&
          frame.message.chaddr === mac &&
          typeOf(frame.message) === DHCP_MESSAGE_TYPE.DHCPRELEASE,
      ),
    );
    assert.deepEqual(
      [...release.message.options.keys()].toSorted((a, b) => a - b),
      [53, 54, 61],
    );
    await site().waitForNoLease(mac);
  });

  const refused: readonly (readonly [string, JsonObject, Readonly<Record<string, string>>, RegExp])[] = [
    ['a MAC of the runtime', {}, { MAC: '02:00:5e:10:00:77' }, /^CNI_ARGS MAC: says more of the pod/],
    ['an address of the runtime', {}, { IP: '192.168.2.140' }, /CNI_ARGS IP \(192\.168\.2\.140\): says more/],
    ['a name', { dhcp: { hostname: '{pod}' } }, {}, /^dhcp\.hostname: says more of the pod/],
    ['a MAC', { mac: 'pod' }, {}, /^mac: "pod" says more of the pod/],
  ];
  for (const [what, conf, args, msg] of refused) {
    test(`${what} beside it is refused by name, and nothing is sent`, async () => {
      const wire = await capture(site().lan.router, BRIDGE, site().lan);
      const network = networkOf([{ type: 'leasehold', identity: 'anonymous', ...conf }]);
      await assert.rejects(site().add(network, { args: { ...POD, ...args } }), { code: 7, msg });
      assert.deepEqual(
        (await wire.frames()).filter(({ kind }) => kind === 'dhcp'),
        [],
      );
      await wire.stop();
    });
  }
});

for (const kind of ['kea', 'isc', 'udhcpd'] as const satisfies readonly ServerKind[]) {
  describe(`an anonymous pod at ${kind}`, { skip: NEEDS_ROOT }, () => {
    const site = useSite({ server: { kind } });

    test('is served, whatever the order of its options, and says no more than RFC 7844 allows', async () => {
      const lives = [await lifeOf(site(), LEASEHOLD), await lifeOf(site(), LEASEHOLD)] as const;
      assert.deepEqual(inCommon(...lives), []);
      for (const life of lives) assertAnonymous(life);
    });
  });
}
