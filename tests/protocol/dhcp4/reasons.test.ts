import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IGNORE_REASONS, type IgnoreReason } from '../../../src/protocol/dhcp4/reasons.ts';
import type { DhcpMessageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import { BAD, refusal } from './bad-answers.ts';
import { net, reply, type Reply } from './messages.ts';
import { Transcript } from './transcript.ts';

function hear(t: Transcript, type: DhcpMessageTypeName, how: Reply, ...expected: readonly string[]): void {
  t.does({ type: 'message', message: reply(type, t.xid, how) }, ...expected);
}

describe('a message that is not taken', () => {
  for (const bad of BAD) {
    const { name, how, reason, fate } = bad;
    test(`${name}: ${reason}, in SELECTING and in REQUESTING`, () => {
      const t = new Transcript();
      t.protect = [net('10.96.0.0/12')];
      t.start('> DISCOVER');
      hear(t, 'DHCPOFFER', how, `ignore ${reason}`);
      t.is('selecting').hears(0, 'DHCPOFFER', {}, '> REQUEST');
      const next = fate === 'nothing' || fate === 'released' ? ['> DISCOVER'] : [];
      hear(t, 'DHCPACK', how, ...refusal(bad), ...next);
      t.is(fate === undefined ? 'requesting' : fate === 'declined' ? 'waiting' : 'selecting');
      assert.ok('acquisition' in t.state);
      assert.equal(t.state.acquisition.ignored[reason], 2);
      t.stillWorks();
    });
  }

  for (const type of ['DHCPDISCOVER', 'DHCPINFORM', 'DHCPFORCERENEW', 'DHCPLEASEACTIVE'] as const) {
    test(`${type} from a server is no answer`, () => {
      const t = new Transcript().start('> DISCOVER');
      hear(t, type, {}, 'ignore unexpected-type');
      t.stillWorks();
    });
  }

  test('bytes that are no message are named in the diagnosis', () => {
    const t = new Transcript().start('> DISCOVER');
    t.does({ type: 'garbled' }, 'ignore garbled');
    assert.ok('acquisition' in t.state);
    assert.equal(t.state.acquisition.ignored.garbled, 1);
    t.stillWorks();
  });

  test('each reason occurs in a transcript and has words of its own', () => {
    const elsewhere: readonly IgnoreReason[] = [
      'garbled',
      'unexpected-type',
      'rapid-ack-unmarked',
      'no-nonce',
      'offer-not-chosen',
      'other-server',
      'server-not-allowed',
      'source-not-allowed',
      'forged-source',
      'unconfirmed-source',
      'lease-over',
      'other-address',
      'held-on-this-node',
      'in-conflict',
    ];
    const seen = new Set<string>([...BAD.map(({ reason }) => reason), ...elsewhere]);
    assert.deepEqual([...seen].sort(), Object.keys(IGNORE_REASONS).sort());
    assert.equal(new Set(Object.values(IGNORE_REASONS)).size, seen.size);
  });

  test('an identifier comes back to a client that sent none: it is another one’s (RFC 6842)', () => {
    const t = new Transcript({ clientId: undefined }).start('> DISCOVER');
    const echo = { options: { 'dhcp-client-identifier': Uint8Array.of(0, 9) } };
    hear(t, 'DHCPOFFER', echo, 'ignore wrong-client-id');
    t.stillWorks();
  });

  test('optional options that are malformed cost nothing', () => {
    const raw = {
      routers: [1, 2, 3],
      'interface-mtu': [1],
      'domain-name': [255, 254],
      'dhcp-renewal-time': [1],
    };
    const t = new Transcript().bound({ raw });
    assert.ok(t.state.kind === 'bound');
    assert.deepEqual([...t.state.lease.malformed].sort(), Object.keys(raw).sort());
  });
});
