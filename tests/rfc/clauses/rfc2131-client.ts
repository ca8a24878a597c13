import {
  by,
  deviates,
  doesNotApply,
  met,
  metSo,
  must,
  mustNot,
  should,
  shouldNot,
  suiteOf,
  type Clause,
  type Verdict,
} from '../clause.ts';
import {
  captured,
  capturedAtKea,
  conflict,
  detection,
  extending,
  fields,
  IN_REBINDING,
  IN_RENEWING,
  inBound,
  lost,
  onTheWire,
  rebooting,
  released,
  requesting,
  selecting,
  sent,
  times,
} from './dhcp4-tests.ts';
import { NOT_ALL_MESSAGES } from './rfc2131-messages.ts';

const NO_INFORM = doesNotApply('it sends no DHCPINFORM: an address that is not leased is not its business');
const rapidCommit = suiteOf('protocol/dhcp4/acquire.test.ts', 'rapid commit');
const notTaken = suiteOf('protocol/dhcp4/reasons.test.ts', 'a message that is not taken');
const acdPackets = suiteOf('protocol/acd4/machine.test.ts', 'packets');
const announced = suiteOf('plugins/announce.test.ts', 'an address that comes back with another MAC');
const released4 = suiteOf('plugins/release.test.ts');

const WHOLE_EXCHANGE = 'the whole exchange: DISCOVER, REQUEST, and a RELEASE by unicast from the address';
const LATER = 'vendor class (60), site-specific (224), all others: not in DECLINE and RELEASE';

function table5(level: typeof must, says: string, verdict: Verdict): Clause {
  return level('4.4.1 table 5', says, verdict);
}

/** The rows of table 5, in their order. DHCPINFORM shares a column with DISCOVER, and is not sent. */
const TABLE_5: readonly Clause[] = [
  table5(
    must,
    'op, htype, hlen, hops: BOOTREQUEST, those of its hardware, 0',
    met(sent('op, htype, hlen, hops: a BOOTREQUEST of an Ethernet')),
  ),
  table5(
    must,
    'xid: its own choice in DISCOVER, DECLINE and RELEASE, that of the OFFER in the REQUEST for it',
    met(
      by(
        'protocol/dhcp4/table5.test.ts',
        'the transaction id (RFC 2131 4.1)',
        'is another one for each search, renewal, DECLINE and RELEASE',
      ),
      requesting('it keeps xid and secs of the DISCOVER (RFC 2131 3.1, 4.4.1), however long it takes'),
    ),
  ),
  table5(must, 'secs: 0 in DECLINE and RELEASE', met(sent('secs: 0 in DECLINE and RELEASE'))),
  table5(
    must,
    'flags: BROADCAST where it is needed, 0 in DECLINE and RELEASE',
    met(sent('flags: BROADCAST or nothing, and nothing in DECLINE and RELEASE')),
  ),
  table5(
    must,
    'ciaddr: its address in RENEWING, REBINDING and RELEASE, 0 in DISCOVER and DECLINE',
    met(sent('ciaddr: the leased address in RENEWING, REBINDING and RELEASE, else 0')),
  ),
  table5(
    must,
    'yiaddr, siaddr, giaddr: 0; chaddr: its own; sname, file: unused',
    met(sent('yiaddr, siaddr, giaddr: 0; chaddr: of the client; sname, file: unused')),
  ),
  table5(
    must,
    'requested address (50): in the REQUEST of SELECTING and INIT-REBOOT, and in DECLINE',
    met(sent('requested address (50): in SELECTING, INIT-REBOOT and DECLINE')),
  ),
  table5(
    mustNot,
    'requested address (50): in the REQUEST of RENEWING, and in RELEASE',
    met(sent('requested address (50): in SELECTING, INIT-REBOOT and DECLINE')),
  ),
  table5(
    mustNot,
    'lease time (51): in DECLINE and RELEASE',
    met(sent('lease time (51): not in DECLINE and RELEASE')),
  ),
  table5(must, 'message type (53): in each', met(sent('message type (53): in each'))),
  table5(mustNot, 'vendor class identifier (60): in DECLINE and RELEASE', met(sent(LATER))),
  table5(
    must,
    'server identifier (54): in the REQUEST of SELECTING, in DECLINE and RELEASE',
    met(sent('server identifier (54): in SELECTING, DECLINE and RELEASE')),
  ),
  table5(
    mustNot,
    'server identifier (54): in DISCOVER and the other REQUESTs',
    met(sent('server identifier (54): in SELECTING, DECLINE and RELEASE')),
  ),
  table5(
    mustNot,
    'parameter request list (55) and maximum message size (57): in DECLINE and RELEASE',
    met(sent('parameter request list (55) and maximum message size (57): not in DECLINE and RELEASE')),
  ),
  table5(
    shouldNot,
    'message (56): in DISCOVER and REQUEST',
    met(sent('message (56): in DECLINE and RELEASE')),
  ),
  table5(
    should,
    'message (56): in DECLINE and RELEASE',
    met(sent('message (56): in DECLINE and RELEASE'), onTheWire(WHOLE_EXCHANGE)),
  ),
  table5(mustNot, 'site-specific options, and all others: in DECLINE and RELEASE', met(sent(LATER))),
];

/** Section 4.4. */
export const CLIENT: readonly Clause[] = [
  should(
    '4.4.1',
    'waits 1 to 10 s at random before it begins',
    deviates(
      'an ADD waits for the answer, so the first DISCOVER leaves at once. The waits between tries are random, and leases that are sought or renewed without anybody waiting have their turns',
      selecting('DISCOVER is sent again after 0.25, 0.5, 1 ... 64 s, then every 64 s'),
      by('lease/keeper.test.ts', 'a thousand leases taken up', 'all of them past T1: fifty a second'),
    ),
  ),
  must(
    '4.4.1',
    'states its hardware address in `chaddr`',
    met(sent('yiaddr, siaddr, giaddr: 0; chaddr: of the client; sname, file: unused')),
  ),
  must(
    '4.4.1',
    'includes the parameter request list of the DISCOVER in all further messages',
    NOT_ALL_MESSAGES,
  ),
  must(
    '4.4.1',
    'broadcasts the DISCOVER, in Ethernet and IP, to the server port',
    met(onTheWire(WHOLE_EXCHANGE), captured(IN_RENEWING)),
  ),
  must(
    '4.4.1',
    'discards an OFFER with another transaction id than that of its DISCOVERs',
    met(notTaken('another xid: wrong-xid, in SELECTING and in REQUESTING')),
  ),
  must(
    '4.4.1',
    'discards an ACK while it waits for OFFERs',
    metSo(
      'but for one of rapid commit, where that was offered (RFC 4039)',
      rapidCommit('who did not ask for it takes none'),
      rapidCommit('an ACK that does not say so is discarded, and DISCOVER goes out without offering it'),
    ),
  ),
  ...TABLE_5,
  must(
    '4.4.1',
    'counts the lease from when the request was sent',
    met(requesting('the lease counts from the first REQUEST, not from the ACK')),
  ),
  should(
    '4.4.1',
    'checks that nobody uses the address, by ARP',
    metSo(
      'in the background unless `conflictCheck` says `before` or `off`',
      detection('background: the ADD answers at once, then the address is changed in the running pod'),
      detection('before: the ADD waits, declines, and gives another address after ten seconds'),
    ),
  ),
  must(
    '4.4.1',
    'asks for it with its own hardware address and 0 as the IP address of the sender',
    met(acdPackets('a probe has no sender address, an announcement the same twice (RFC 5227 1.1)')),
  ),
  must(
    '4.4.1',
    'sends a DECLINE when the address appears to be in use',
    met(
      conflict('DECLINE by broadcast, ten seconds of silence, then from the beginning'),
      by(
        'faults/conflicts.test.ts',
        'somebody else has the address',
        'conflict-before-use: declined, and the ADD answers with another one',
      ),
    ),
  ),
  should(
    '4.4.1',
    'announces its new address to the LAN by ARP',
    metSo(
      'by ARP requests, as RFC 5227 3 has it since',
      announced('leased: is announced to the LAN'),
      acdPackets('a probe has no sender address, an announcement the same twice (RFC 5227 1.1)'),
    ),
  ),
  must(
    '4.4.2',
    'asks for its known address (50)',
    met(
      rebooting('the address that is asked for is requested at once'),
      fields('REQUEST of INIT-REBOOT: 50 and no 54'),
    ),
  ),
  mustNot('4.4.2', 'names a server (54)', met(fields('REQUEST of INIT-REBOOT: 50 and no 54'))),
  must(
    '4.4.2',
    'takes an ACK of any server with its transaction id',
    met(rebooting('any server may answer, an OFFER means nothing')),
  ),
  shouldNot('4.4.3', 'asks for lease times in DHCPINFORM', NO_INFORM),
  must('4.4.3', 'sends DHCPINFORM to the server port', NO_INFORM),
  should('4.4.3', 'tells the user when nobody answers it, and goes on with defaults', NO_INFORM),
  must(
    '4.4.4',
    'broadcasts DISCOVER and REQUEST, unless it knows the address of a server',
    met(onTheWire(WHOLE_EXCHANGE), captured(IN_REBINDING)),
  ),
  must(
    '4.4.4',
    'sends RELEASE by unicast to the server',
    met(
      captured(IN_RENEWING),
      released('BOUND, RENEWING, REBINDING: from the address, to the server, and the address goes last'),
    ),
  ),
  must(
    '4.4.4',
    'broadcasts DECLINE',
    met(
      captured('address-of-another-interface: not in a DECLINE either'),
      fields('DECLINE: 50 and 54, ciaddr 0'),
    ),
  ),
  must(
    '4.4.5',
    'keeps T1 before T2, and T2 before the end of the lease',
    met(
      times('T1 after T2: 1000 s, 800 and 700 give 500 and 700'),
      times('the spread moves T1 and T2 earlier by a sixteenth at most, never past each other'),
      by('protocol/dhcp4/property.test.ts', 'whatever happens, the invariants hold'),
    ),
  ),
  must(
    '4.4.5',
    'asks at T1 the server that gave the lease, by unicast and with its address in `ciaddr`',
    met(
      extending('silence: half of the rest until T2, at least 60 s, then by broadcast until the end'),
      captured(IN_RENEWING),
      capturedAtKea(IN_RENEWING),
    ),
  ),
  mustNot(
    '4.4.5',
    'names a server (54) in RENEWING and REBINDING',
    met(sent('server identifier (54): in SELECTING, DECLINE and RELEASE')),
  ),
  must(
    '4.4.5',
    'discards an ACK with another transaction id',
    met(extending('each try has its own xid, and the lease counts from the one that was answered')),
  ),
  must(
    '4.4.5',
    'counts the extended lease from when the REQUEST was sent',
    met(
      extending('an ACK extends: the times count from the renewal'),
      extending('each try has its own xid, and the lease counts from the one that was answered'),
    ),
  ),
  must(
    '4.4.5',
    'asks from T2 on any server, by broadcast and with its address in `ciaddr`',
    met(
      extending('silence: half of the rest until T2, at least 60 s, then by broadcast until the end'),
      captured(IN_REBINDING),
      capturedAtKea(IN_REBINDING),
    ),
  ),
  must(
    '4.4.5',
    'takes T1 and T2 of the server, else 0.5 and 0.875 of the lease',
    met(
      times('as given: 1000 s, 300 and 700 give 300 and 700'),
      times('the defaults: 1000 s, undefined and undefined give 500 and 875'),
    ),
  ),
  should(
    '4.4.5',
    'spreads T1 and T2 at random',
    met(inBound('T1 and T2 are spread, so that pods do not renew in step; the end is not moved')),
  ),
  should(
    '4.4.5',
    'waits, before it repeats the REQUEST, half of what is left until T2, or in REBINDING until the end',
    met(extending('silence: half of the rest until T2, at least 60 s, then by broadcast until the end')),
  ),
  should(
    '4.4.5',
    'waits 60 s at least before it repeats that REQUEST',
    deviates(
      'so it does where T1 and T2, or T2 and the end, are six minutes apart or more. A shorter lease is asked for six times in such a time, at most once a second, so that a lost packet does not cost it; and once more 4 s after a link came back',
      extending('silence: half of the rest until T2, at least 60 s, then by broadcast until the end'),
      extending('a lease of 10 s has room for a lost packet and ends on time'),
      by(
        'protocol/dhcp4/link-up.test.ts',
        'the link comes back while something waits for an answer',
        'RENEWING: the REQUEST at once, once more after 4 s, then as usual',
      ),
    ),
  ),
  must(
    '4.4.5',
    'stops all use of the network at once when the lease ends',
    met(
      lost('expiry: the address goes at the very end, whatever the server does'),
      by('protocol/dhcp4/property.test.ts', 'no lease is used past its end, however late the timer is'),
      by(
        'kernel/pod-lifetime.test.ts',
        'an address that has an end',
        'goes by itself, and the routes of its interface with it',
      ),
    ),
  ),
  must(
    '4.4.5',
    'begins in INIT then, as if it had never been configured',
    met(
      extending('asleep past T1, T2 and the end (suspend): withdrawn at once'),
      extending('silence: half of the rest until T2, at least 60 s, then by broadcast until the end'),
    ),
  ),
  should(
    '4.4.5',
    'goes on as before if it is given the same address again',
    met(
      by(
        'faults/server-down.test.ts',
        'the server is down',
        'server-down-through-expiry: the address leaves the pod on time, and comes back with a server',
      ),
    ),
  ),
  mustNot(
    '4.4.5',
    'uses its former address any longer if it is given another one',
    met(
      lost(
        'expiry, and then another address: both are said, and the old one is used no more (RFC 2131 4.4.5)',
      ),
    ),
  ),
  should(
    '4.4.5',
    'tells the users of the machine that it has another address',
    met(
      lost(
        'expiry, and then another address: both are said, and the old one is used no more (RFC 2131 4.4.5)',
      ),
    ),
  ),
  must(
    '4.4.6',
    'sends a RELEASE when it needs the address no longer',
    met(
      released4('the lease ends at dnsmasq with the pod', 'DEL: the lease is gone from the lease file'),
      released4('the lease ends at kea with the pod', 'DEL: the lease is gone from the lease file'),
    ),
  ),
];
