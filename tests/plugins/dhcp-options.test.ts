import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { linksOf } from './support/kernel-view.ts';
import {
  DISCOVER,
  RELEASE,
  REQUEST,
  type ScriptedServer,
  type Seen,
  startScripted,
} from './support/scripted.ts';
import { addressIn, type AddOptions, macIn, macvlan, networkOf, ROUTER, useSite } from './support/site.ts';
import { waitFor } from '../../src/lab/wait.ts';

const DEFAULT_LIST = [1, 121, 3, 6, 15, 26, 33, 58, 59, 119, 249];

/** An option, as hex, of the first message of that type. */
function sent(seen: readonly Seen[], type: string, code: number): string | undefined {
  return seen.find((message) => message.type === type)?.options[String(code)];
}

describe('every key of the ipam section, as the server sees it', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: { kind: 'none' } });
  let server: ScriptedServer;
  before(async () => {
    server = await startScripted(site());
  });

  /** ADD and DEL with this ipam section: the messages, and the result of the ADD. */
  async function exchange(
    ipam: JsonObject,
    options: AddOptions = {},
    link: JsonObject = {},
  ): Promise<{ seen: readonly Seen[]; result: JsonObject; containerId: string }> {
    const added = await site().add(networkOf([macvlan(link, ipam)], { cniVersion: '1.1.0' }), options);
    await site().del(added);
    const chaddr = macIn(added.result);
    const seen = await waitFor('the RELEASE to arrive', async () => {
      const all = await server.from(chaddr);
      return all.some(({ type }) => type === RELEASE) && all;
    });
    return { seen, result: added.result, containerId: added.attachment.containerId };
  }

  test('the whole exchange: DISCOVER, REQUEST, and a RELEASE by unicast from the address', async () => {
    const { seen, result } = await exchange({});
    assert.deepEqual(
      seen.map(({ type, via, from, ciaddr }) => [type, via, from, ciaddr]),
      [
        [DISCOVER, 'broadcast', '0.0.0.0', '0.0.0.0'],
        [REQUEST, 'broadcast', '0.0.0.0', '0.0.0.0'],
        [RELEASE, 'unicast', addressIn(result), addressIn(result)],
      ],
    );
    const [discover, request, release] = seen;
    assert.equal(discover?.broadcast, false);
    assert.equal(request?.xid, discover?.xid);
    assert.notEqual(release?.xid, discover?.xid);
    const serverId = ROUTER.split('.').map(Number);
    assert.equal(request?.options['54'], toHex(Uint8Array.from(serverId)));
    assert.equal(release?.options['54'], toHex(Uint8Array.from(serverId)));
    assert.equal(request?.options['50'], toHex(Uint8Array.from(addressIn(result).split('.').map(Number))));
    // RFC 2131 table 5: MUST NOT be in a RELEASE: an address to ask for, a wish list, a size.
    for (const code of ['50', '51', '55', '57', '60']) assert.equal(release?.options[code], undefined);
  });

  test("option 57 is the MTU of the pod's interface with the headers (RFC 3442), 576 at least", async () => {
    for (const [link, size] of [
      [{}, '05dc'],
      [{ mtu: 1400 }, '0578'],
      [{ mtu: 500 }, '0240'],
    ] as const) {
      const { seen } = await exchange({}, {}, link);
      for (const type of [DISCOVER, REQUEST]) assert.equal(sent(seen, type, 57), size, JSON.stringify(link));
    }
  });

  test('12 and 81 together: 81 alone is sent (RFC 4702 3.1)', async () => {
    const fqdn = '050000016102686d00';
    const provide = [
      { option: 'host-name', value: 'a' },
      { option: '81', value: `0x${fqdn}` },
    ];
    for (const ipam of [{ provide }, { send: { '81': { hex: fqdn }, '12': 'a' } }]) {
      const counted = await site().counter('host-name-beside-fqdn');
      const { seen } = await exchange(ipam);
      for (const type of [DISCOVER, REQUEST]) {
        assert.equal(sent(seen, type, 81), fqdn);
        assert.equal(sent(seen, type, 12), undefined);
      }
      assert.equal(await site().counter('host-name-beside-fqdn'), counted + 1);
    }
  });

  test('client-id: containerID/network/ifname behind a zero byte, in all messages', async () => {
    const { seen, containerId } = await exchange({});
    const id = `00${toHex(utf8(`${containerId}/lan/eth0`))}`;
    for (const type of [DISCOVER, REQUEST, RELEASE]) assert.equal(sent(seen, type, 61), id);
  });

  test('client-id: one from the configuration takes its place, in RELEASE too', async () => {
    for (const [value, wire] of [
      ['0x01025e00530007', '01025e00530007'],
      ['my-id', toHex(utf8('my-id'))],
    ] as const) {
      const { seen } = await exchange({ provide: [{ option: 'dhcp-client-identifier', value }] });
      for (const type of [DISCOVER, REQUEST, RELEASE]) assert.equal(sent(seen, type, 61), wire);
    }
  });

  test('provide: names, decimal codes, text and hex', async () => {
    const provide = [
      { option: 'host-name', value: 'good' },
      { option: 'vendor-class-identifier', value: 'lab' },
      { option: 'user-class', value: '0x03616263' },
      { option: '43', value: '0x0104c0a80201' },
      { option: '224', value: 'site-specific' },
      { option: '15', value: 'example.org' },
    ];
    const { seen } = await exchange({ provide });
    for (const type of [DISCOVER, REQUEST]) {
      assert.equal(sent(seen, type, 12), toHex(utf8('good')));
      assert.equal(sent(seen, type, 60), toHex(utf8('lab')));
      assert.equal(sent(seen, type, 77), '03616263');
      assert.equal(sent(seen, type, 43), '0104c0a80201');
      assert.equal(sent(seen, type, 224), toHex(utf8('site-specific')));
      assert.equal(sent(seen, type, 15), toHex(utf8('example.org')));
    }
    assert.equal(sent(seen, RELEASE, 60), undefined);
  });

  test('provide: fromArg wins over value; without the argument it is the value, or nothing', async () => {
    const args = { IgnoreUnknown: '1', CLASS: 'from-arg' };
    const provide = [
      { option: 'vendor-class-identifier', value: 'from-value', fromArg: 'CLASS' },
      { option: '224', value: 'from-value', fromArg: 'MISSING' },
      { option: '225', fromArg: 'MISSING' },
    ];
    const { seen } = await exchange({ provide }, { args });
    assert.equal(sent(seen, DISCOVER, 60), toHex(utf8('from-arg')));
    assert.equal(sent(seen, DISCOVER, 224), toHex(utf8('from-value')));
    assert.equal(sent(seen, DISCOVER, 225), undefined);
  });

  test('request: named options before the defaults, or instead of them', async () => {
    const lists: readonly (readonly [JsonObject, readonly number[]])[] = [
      [{}, DEFAULT_LIST],
      [{ request: [] }, DEFAULT_LIST],
      [{ request: [{ skipDefault: false }] }, DEFAULT_LIST],
      [{ request: [{ option: 'tftp-server-name' }] }, [66, ...DEFAULT_LIST]],
      [{ request: [{ option: '121' }, { option: '224' }, { skipDefault: true }] }, [121, 224]],
      [{ request: [{ option: 'routers', skipDefault: true }, { option: '1' }] }, [3, 1]],
      [{ request: [{ skipDefault: true }] }, [1, 3, 15, 6]],
    ];
    for (const [ipam, list] of lists) {
      const { seen } = await exchange(ipam);
      assert.equal(sent(seen, DISCOVER, 55), toHex(Uint8Array.from(list)), JSON.stringify(ipam));
      assert.equal(sent(seen, REQUEST, 55), toHex(Uint8Array.from(list)));
    }
  });

  test('priority: the metric of every route, in result and pod', async () => {
    const network = networkOf([macvlan({}, { priority: 77 })], { cniVersion: '1.1.0' });
    const added = await site().add(network);
    assert.deepEqual(added.result['routes'], [{ dst: '0.0.0.0/0', gw: ROUTER, priority: 77 }]);
    assert.match(await added.pod.namespace.ip('route'), /default via 192\.168\.2\.1 dev eth0 metric 77/);
    await site().del(added);
  });

  const bad: readonly (readonly [JsonObject, RegExp])[] = [
    [{ provide: [{ option: '0', value: 'x' }] }, /ipam\.provide\[0\]\.option: /],
    [{ provide: [{ option: '255', value: 'x' }] }, /ipam\.provide\[0\]\.option: /],
    [{ provide: [{ option: '300', value: 'x' }] }, /ipam\.provide\[0\]\.option: /],
    [{ request: [{ option: '300' }] }, /ipam\.request\[0\]\.option: /],
    [{ request: [{ option: 'host-nmae' }] }, /host-name/],
    [{ provide: [{ option: 'dhcp-lease-tiem', value: '9' }] }, /dhcp-lease-time/],
    [{ provide: [{ option: '53', value: '0x01' }] }, /set by the exchange itself/],
    [{ provide: [{ option: '56', value: 'x' }] }, /RFC 2131 table 5/],
    [{ send: { '108': { u32: 0 } } }, /"ipv6Only": true/],
    [{ request: [{ option: '80' }] }, /never asked for \(RFC 4039 3\)/],
    [{ provide: [{ option: '43', value: '0x123' }] }, /ipam\.provide\[0\]\.value: /],
    [{ provide: [{ option: 'subnet-mask', value: 'x' }] }, /ipam\.provide\[0\]\.value: /],
    [{ provide: [{ option: '60', value: 'x'.repeat(1100) }] }, /ipam\.provide/],
    [{ provide: 'host-name' }, /ipam\.provide: /],
    [{ provide: [{ value: 'x' }] }, /ipam\.provide\[0\]\.option: /],
    [{ priority: -1 }, /ipam\.priority: /],
    [{ priority: '5' }, /ipam\.priority: /],
  ];
  test('what cannot be sent is refused with its key, and nothing is left', async () => {
    const pod = await site().pod();
    for (const [ipam, msg] of bad) {
      const network = networkOf([macvlan({}, ipam)]);
      await assert.rejects(site().attach(network, pod), { code: 7, msg }, JSON.stringify(ipam).slice(0, 80));
      assert.equal((await linksOf(pod.namespace)).size, 0);
    }
  });
});
