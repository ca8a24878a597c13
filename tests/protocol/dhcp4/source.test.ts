import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { describeAcquisition, outcomeOf } from '../../../src/protocol/dhcp4/diagnosis.ts';
import { IGNORE_REASONS, type IgnoreReason } from '../../../src/protocol/dhcp4/reasons.ts';
import type { Source } from '../../../src/protocol/dhcp4/source.ts';
import { MOST_STRANGERS } from '../../../src/protocol/dhcp4/state.ts';
import { ADDRESS, OF_SERVER, OTHER_SERVER, reply, ROGUE_MAC, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const exact = (): number => 0;
const RELAY = ipv4('192.168.1.254');
const only = { servers: [SERVER], relays: [RELAY] };

/** Each says by option 54 that it is SERVER. */
const FORGED: readonly {
  readonly name: string;
  readonly source: Source | undefined;
  readonly reason: IgnoreReason;
}[] = [
  {
    name: 'from an address of its own',
    source: { address: OTHER_SERVER, mac: ROGUE_MAC, holder: undefined },
    reason: 'source-not-allowed',
  },
  { name: 'from nobody knows where', source: undefined, reason: 'source-not-allowed' },
  {
    name: "with the server's address and another MAC",
    source: { address: SERVER, mac: ROGUE_MAC, holder: 'other' },
    reason: 'forged-source',
  },
  {
    name: "with a relay's address and another MAC",
    source: { address: RELAY, mac: ROGUE_MAC, holder: 'other' },
    reason: 'forged-source',
  },
  {
    name: "with the server's address while the server is away",
    source: { address: SERVER, mac: ROGUE_MAC, holder: 'nobody' },
    reason: 'unconfirmed-source',
  },
  {
    name: "with the server's address in a frame that nobody asked about",
    source: { address: SERVER, mac: ROGUE_MAC, holder: undefined },
    reason: 'unconfirmed-source',
  },
];

/** What is said, and what the client makes of it when it comes from there. */
function from(
  t: Transcript,
  source: Source | undefined,
  type: 'DHCPOFFER' | 'DHCPACK' | 'DHCPNAK',
  ...expected: string[]
) {
  t.does({ type: 'message', message: reply(type, t.xid), source }, ...expected);
}

describe('with "servers", an answer in the name of an allowed one', () => {
  for (const { name, source, reason } of FORGED) {
    const ignored = `ignore ${reason}`;
    test(`${name} is ${reason}, in every state`, () => {
      const t = new Transcript(only, exact).start('> DISCOVER');
      from(t, source, 'DHCPOFFER', ignored);
      assert.deepEqual(t.last, [
        { type: 'ignore', reason, server: SERVER, ...(source === undefined ? {} : { source }) },
      ]);
      t.hears(0, 'DHCPOFFER', {}, '> REQUEST');
      from(t, source, 'DHCPACK', ignored);
      from(t, source, 'DHCPNAK', ignored);
      t.hears(0, 'DHCPACK', {}, `install ${ADDRESS}`).linkUp(100, true, '> REQUEST');
      from(t, source, 'DHCPACK', ignored);
      from(t, source, 'DHCPNAK', ignored);
      t.hears(100, 'DHCPACK', {}, `extend ${ADDRESS}`).wake(1900, `> REQUEST to ${SERVER}`);
      from(t, source, 'DHCPACK', ignored);
      from(t, source, 'DHCPNAK', ignored);
      t.now = Transcript.at(3300);
      t.does({ type: 'wake' }, '> REQUEST').is('rebinding');
      from(t, source, 'DHCPACK', ignored);
      from(t, source, 'DHCPNAK', ignored);
      t.hears(3300, 'DHCPACK', {}, `extend ${ADDRESS}`);
      const rebooting = new Transcript(only).held(ADDRESS).start('> REQUEST');
      from(rebooting, source, 'DHCPNAK', ignored);
      rebooting.is('rebooting');
    });
  }

  const TAKEN: readonly { readonly name: string; readonly source: Source }[] = [
    { name: 'from its own machine', source: OF_SERVER },
    { name: 'from a relay that is listed', source: { address: RELAY, mac: ROGUE_MAC, holder: 'sender' } },
    {
      name: 'where there is no uplink to ask from',
      source: { address: SERVER, mac: ROGUE_MAC, holder: 'unasked' },
    },
  ];
  for (const { name, source } of TAKEN) {
    test(`${name} is taken`, () => {
      const t = new Transcript(only, exact);
      t.source = source;
      t.bound().wake(1800, `> REQUEST to ${SERVER}`).hears(1800, 'DHCPACK', {}, `extend ${ADDRESS}`);
    });
  }

  test('a renewal comes from a server behind the router, in a frame of the router; a rebinding does not', () => {
    const far = ipv4('10.77.0.2');
    const byRelay: Source = { address: RELAY, mac: ROGUE_MAC, holder: 'sender' };
    const byRouter: Source = { address: far, mac: ROGUE_MAC, holder: 'nobody' };
    const named = { options: { 'dhcp-server-identifier': far } };
    const t = new Transcript({ servers: [far], relays: [RELAY] }, exact);
    t.source = byRelay;
    t.bound(named).wake(1800, `> REQUEST to ${far}`);
    t.source = byRouter;
    t.hears(1800, 'DHCPACK', named, `extend ${ADDRESS}`);
    t.now = Transcript.at(1800 + 3300);
    t.does({ type: 'wake' }, '> REQUEST').is('rebinding');
    t.hears(5100, 'DHCPACK', named, 'ignore unconfirmed-source');
    t.source = byRelay;
    t.hears(5100, 'DHCPACK', named, `extend ${ADDRESS}`);
  });

  test('the diagnosis says where they came from, the first few', () => {
    const t = new Transcript(only).start('> DISCOVER');
    for (const n of [2, 3, 2, 4, 5, 6]) {
      from(
        t,
        { address: ipv4(`192.168.1.${n}`), mac: ROGUE_MAC, holder: undefined },
        'DHCPOFFER',
        'ignore source-not-allowed',
      );
    }
    assert.ok('acquisition' in t.state);
    assert.equal(t.state.acquisition.impostors.length, MOST_STRANGERS);
    assert.equal(outcomeOf(t.state.acquisition), 'unusable');
    const first = [2, 3, 4, 5].map((n) => `192.168.1.${n} from ${ROGUE_MAC}`).join(', ');
    assert.equal(
      describeAcquisition(t.state.acquisition, t.now),
      `sent 1 DISCOVER in 0 ms; ignored 6 messages: ${IGNORE_REASONS['source-not-allowed']} (${first})`,
    );
    t.stillWorks();
  });
});

test('without "servers" it does not matter where an answer comes from', () => {
  for (const { source } of FORGED) {
    const t = new Transcript({}, exact).start('> DISCOVER');
    from(t, source, 'DHCPOFFER', '> REQUEST');
    from(t, source, 'DHCPACK', `install ${ADDRESS}`);
  }
});
