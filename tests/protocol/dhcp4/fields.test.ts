import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { IPV4_ANY } from '../../../src/base/ipv4.ts';
import { dhcp4Size, MAX_DHCP4_BYTES } from '../../../src/wire/dhcp4/message.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import { ADDRESS, OTHER_ADDRESS, OUR_MAC, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

/** RFC 2131 tables 4 and 5: the codes that a message carries, in order, and ciaddr. */
function shape(message: Dhcp4Message): { readonly codes: readonly number[]; readonly ciaddr: string } {
  assert.deepEqual(
    [message.op, message.chaddr, message.yiaddr, message.siaddr, message.giaddr],
    ['request', OUR_MAC, IPV4_ANY, IPV4_ANY, IPV4_ANY],
  );
  assert.ok(dhcp4Size(message) <= MAX_DHCP4_BYTES);
  return { codes: [...message.options.keys()].sort((a, b) => a - b), ciaddr: message.ciaddr };
}

// 12 host name (configured), 50 requested address, 53 type, 54 server, 55 list, 56 message, 57 size, 61 identifier, 80 rapid commit
const ASKING = [12, 53, 55, 57, 61];

function sizeIn({ options }: Dhcp4Message): unknown {
  return readOption(options, 'dhcp-max-message-size');
}

function sorted(...codes: readonly number[]): readonly number[] {
  return codes.toSorted((a, b) => a - b);
}

describe('fields and options by state (RFC 2131 tables 4 and 5)', () => {
  test('DISCOVER', () => {
    const t = new Transcript().start('> DISCOVER');
    assert.deepEqual(shape(t.sent), { codes: sorted(...ASKING, 80), ciaddr: IPV4_ANY });
  });

  test('REQUEST after SELECTING: 50 and 54', () => {
    const t = new Transcript().start('> DISCOVER').hears(0, 'DHCPOFFER', {}, '> REQUEST');
    assert.deepEqual(shape(t.sent), { codes: sorted(...ASKING, 50, 54), ciaddr: IPV4_ANY });
  });

  test('REQUEST of INIT-REBOOT: 50 and no 54', () => {
    const t = new Transcript().held(OTHER_ADDRESS).start('> REQUEST');
    assert.deepEqual(shape(t.sent), { codes: sorted(...ASKING, 50), ciaddr: IPV4_ANY });
  });

  test('REQUEST of RENEWING and REBINDING: neither, ciaddr instead', () => {
    const expected = { codes: sorted(...ASKING), ciaddr: ADDRESS };
    const t = new Transcript({}, () => 0).bound().wake(1800, `> REQUEST to ${SERVER}`);
    assert.deepEqual(shape(t.sent), expected);
    t.now = Transcript.at(3200);
    t.does({ type: 'wake' }, '> REQUEST');
    assert.deepEqual(shape(t.sent), expected);
  });

  test('RELEASE: 54 and ciaddr, nothing that asks for something', () => {
    const t = new Transcript().bound();
    t.does({ type: 'release' }, `> RELEASE to ${SERVER}`, `withdraw ${ADDRESS}`);
    assert.deepEqual(shape(t.sent), { codes: sorted(53, 54, 56, 61), ciaddr: ADDRESS });
    assert.deepEqual([t.sent.secs, t.sent.broadcast], [0, false]);
  });

  test('DECLINE: 50 and 54, ciaddr 0', () => {
    const t = new Transcript().bound().does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE');
    assert.deepEqual(shape(t.sent), { codes: sorted(50, 53, 54, 56, 61), ciaddr: IPV4_ANY });
    assert.deepEqual([t.sent.secs, t.sent.broadcast], [0, false]);
  });

  test('option 57: the MTU, headers included (RFC 3442), from 576 (RFC 2132 9.10) to what is read', () => {
    const sizes: readonly (readonly [mtu: number | undefined, size: number])[] = [
      [undefined, 1500],
      [0, 576],
      [68, 576],
      [576, 576],
      [577, 577],
      [1280, 1280],
      [1500, 1500],
      [9000, 1500],
      [65535, 1500],
    ];
    for (const [mtu, value] of sizes) {
      const t = new Transcript({ mtu }).start('> DISCOVER');
      assert.deepEqual(sizeIn(t.sent), { kind: 'value', value }, String(mtu));
      assert.deepEqual(sizeIn(t.hears(0, 'DHCPOFFER', {}, '> REQUEST').sent), { kind: 'value', value });
    }
  });

  test('without identifier, list and further options those are left out', () => {
    const t = new Transcript({ clientId: undefined, parameterRequest: [], send: {}, rapidCommit: false });
    assert.deepEqual(shape(t.start('> DISCOVER').sent).codes, [53, 57]);
  });

  test('option 81 is the same bytes in DISCOVER, REQUEST, INIT-REBOOT, RENEWING and REBINDING (RFC 4702 2, 2.3)', () => {
    // S and E, the two RCODEs, and "web" without a root.
    const name = '05000003776562';
    const sends = (t: Transcript): void => {
      const bytes = t.sent.options.get(81);
      assert.equal(bytes?.toHex(), name, t.state.kind);
    };
    const config = { send: { 81: name } };
    const t = new Transcript(config, () => 0).start('> DISCOVER');
    sends(t);
    sends(t.hears(0, 'DHCPOFFER', {}, '> REQUEST'));
    sends(t.hears(0, 'DHCPACK', {}, `install ${ADDRESS}`).wake(1800, `> REQUEST to ${SERVER}`));
    t.now = Transcript.at(3200);
    sends(t.does({ type: 'wake' }, '> REQUEST').is('rebinding'));
    sends(new Transcript(config).held(ADDRESS).start('> REQUEST').is('rebooting'));
  });
});
