import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import type { Json, JsonObject } from '../../src/base/json.ts';
import { macToBytes, parseMac } from '../../src/base/mac.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import {
  DISCOVER,
  RELEASE,
  REQUEST,
  type ScriptedServer,
  type Seen,
  startScripted,
} from './support/scripted.ts';
import { type AddOptions, macIn, macvlan, networkOf, useSite } from './support/site.ts';

// The scripted server does what option 12 says: "good" is served, labels are read one by one.
const WEB = { args: { IgnoreUnknown: '1', K8S_POD_NAMESPACE: 'shop', K8S_POD_NAME: '_good_' } };
const PODMAN = { args: { IgnoreUnknown: '1', K8S_POD_NAME: 'good' } };

function hex(text: string): string {
  return toHex(utf8(text));
}

/** An option, as hex, of the last message of that type. */
function sent(seen: readonly Seen[], type: string, code: number): string | undefined {
  return seen.findLast((message) => message.type === type)?.options[String(code)];
}

/** Bytes without the colons between them. */
function bare(shown: Json | undefined): Json | undefined {
  return typeof shown === 'string' ? shown.replaceAll(':', '') : shown;
}

describe('identity and options, as the server sees them', { skip: NEEDS_ROOT }, () => {
  const site = useSite({
    server: { kind: 'none' },
    dhcp: { hostname: '{pod}', send: { 'vendor-class-identifier': 'all-pods' } },
  });
  let server: ScriptedServer;
  before(async () => {
    server = await startScripted(site());
  });

  /** ADD and DEL: the messages in between, and the MAC. */
  async function exchange(
    ipam: JsonObject,
    options: AddOptions = WEB,
    conf: JsonObject = {},
  ): Promise<{ readonly seen: readonly Seen[]; readonly mac: string }> {
    const added = await site().add(networkOf([macvlan(conf, ipam)], { cniVersion: '1.1.0' }), options);
    await site().del(added);
    const mac = macIn(added.result);
    const seen = await waitFor('the RELEASE to arrive', async () => {
      const all = await server.from(mac);
      return all.some(({ type }) => type === RELEASE) && all;
    });
    return { seen, mac };
  }

  test('clientId pod and duid: the same for the next container of that name; in all messages', async () => {
    for (const [clientId, shape] of [
      ['pod', new RegExp(`^00${hex('shop/_good_/eth0')}$`)],
      ['duid', /^ff[0-9a-f]{8}0004[0-9a-f]{32}$/],
    ] as const) {
      const [first, second] = [await exchange({ clientId }), await exchange({ clientId })];
      const id = sent(first.seen, DISCOVER, 61);
      assert.match(id ?? '', shape);
      for (const type of [DISCOVER, REQUEST, RELEASE]) {
        assert.equal(sent(first.seen, type, 61), id);
        assert.equal(sent(second.seen, type, 61), id);
      }
    }
  });

  test('the API names the pod, and the identifier, IAID and DUID that the server sees (RFC 4361 6.1)', async () => {
    for (const [clientId, options, names] of [
      ['duid', WEB, ['shop', '_good_']],
      ['pod', WEB, ['shop', '_good_']],
      ['mac', PODMAN, [null, 'good']],
      ['container', {}, [null, null]],
    ] as const) {
      const added = await site().add(
        networkOf([macvlan({}, { clientId })], { cniVersion: '1.1.0' }),
        options,
      );
      const mac = macIn(added.result);
      const seen = sent(await server.from(mac), REQUEST, 61) ?? '';
      const lease = (await site().daemonLeases()).find((one) => one['mac'] === mac);
      assert.deepEqual([lease?.['podNamespace'], lease?.['podName']], names);
      assert.equal(bare(lease?.['clientId']), seen);
      const [, iaid = null, duid = null] = /^ff(.{8})(.+)$/.exec(seen) ?? [];
      assert.deepEqual([bare(lease?.['iaid']), bare(lease?.['duid'])], [iaid, duid]);
      const text = clientId === 'pod' ? 'shop/_good_/eth0' : null;
      if (clientId !== 'container') assert.equal(lease?.['clientIdText'], text);
      await site().del(added);
    }
  });

  test('clientId mac: type 1 and the MAC of the link', async () => {
    const { seen, mac } = await exchange({ clientId: 'mac' });
    assert.equal(sent(seen, DISCOVER, 61), `01${toHex(macToBytes(parseMac(mac) ?? assert.fail(mac)))}`);
  });

  test('without a pod clientId pod is the container, and is counted', async () => {
    const counted = await site().counter('identity-without-pod');
    const { seen } = await exchange({ clientId: 'pod' }, {});
    assert.match(sent(seen, DISCOVER, 61) ?? '', new RegExp(`${hex('/lan/eth0')}$`));
    assert.equal(await site().counter('identity-without-pod'), counted + 1);
  });

  test('mac pod: the same for the next container of that name, another one for another pod', async () => {
    const conf = { mac: 'pod' };
    const macs = [
      (await exchange({}, WEB, conf)).mac,
      (await exchange({}, WEB, conf)).mac,
      (await exchange({}, PODMAN, conf)).mac,
    ];
    assert.equal(macs[0], macs[1]);
    assert.notEqual(macs[1], macs[2]);
    for (const mac of macs) assert.match(mac, /^.2:/);
  });

  test("hostname: the daemon's template, cleaned; the network's own; none without a pod", async () => {
    assert.equal(sent((await exchange({})).seen, DISCOVER, 12), hex('good'));
    assert.equal(sent((await exchange({}, PODMAN)).seen, REQUEST, 12), hex('good'));
    assert.equal(sent((await exchange({ hostname: 'good.{pod}' })).seen, DISCOVER, 12), hex('good.good'));
    assert.equal(sent((await exchange({ hostname: '' })).seen, DISCOVER, 12), undefined);
    assert.equal(sent((await exchange({}, {})).seen, DISCOVER, 12), undefined);
  });

  test('fqdn: option 81 in wire form, and no option 12 beside it', async () => {
    const { seen } = await exchange({ fqdn: '{pod}.{namespace}.lan' });
    assert.equal(sent(seen, DISCOVER, 81), `05000004${hex('good')}04${hex('shop')}03${hex('lan')}00`);
    assert.equal(sent(seen, DISCOVER, 12), undefined);
    const { seen: silent } = await exchange({ fqdn: { name: '{pod}', update: 'none' } });
    assert.equal(sent(silent, REQUEST, 81), `0c000004${hex('good')}`);
  });

  test('send and request: by name or code, with typed values; ipv6Only asks for 108', async () => {
    const send = {
      'ntp-servers': { ips: ['192.168.2.1', '192.168.2.9'] },
      'user-class': 'lab',
      '224': { u16: 258 },
      'dhcp-lease-time': 600,
      '43': { hex: '0104c0a80201' },
    };
    const { seen } = await exchange({ send, request: ['tftp-server-name', 150], ipv6Only: true });
    for (const type of [DISCOVER, REQUEST]) {
      assert.equal(sent(seen, type, 42), 'c0a80201c0a80209');
      assert.equal(sent(seen, type, 77), hex('lab'));
      assert.equal(sent(seen, type, 224), '0102');
      assert.equal(sent(seen, type, 51), '00000258');
      assert.equal(sent(seen, type, 43), '0104c0a80201');
      // The network's `send` stands in the place of the daemon's.
      assert.equal(sent(seen, type, 60), undefined);
      assert.match(sent(seen, type, 55) ?? '', /^4296.*6c$/);
    }
    assert.equal(sent((await exchange({})).seen, DISCOVER, 60), hex('all-pods'));
  });
});
