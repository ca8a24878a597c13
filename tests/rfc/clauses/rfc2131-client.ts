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
} from '../clause.ts';
import {
  ANY_SERVER,
  THE_WHOLE,
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
  refused,
  released,
  remembered,
  requesting,
  selecting,
  sent,
  times,
  transactionId,
} from './dhcp4-tests.ts';
import { TABLE_5 } from './rfc2131-table5.ts';
import { declines, NOT_ALL_MESSAGES } from './rfc2131-verdicts.ts';

const NO_INFORM = doesNotApply('it sends no DHCPINFORM: an address that is not leased is not its business');
const rapidCommit = suiteOf('protocol/dhcp4/acquire.test.ts', 'rapid commit');
const acdPackets = suiteOf('protocol/acd4/machine.test.ts', 'packets');
const announced = suiteOf('plugins/announce.test.ts', 'an address that comes back with another MAC');
const released4 = suiteOf('plugins/release.test.ts');

/** Section 4.4. */
export const CLIENT: readonly Clause[] = [
  must(
    '4.4 figure 5',
    'REQUESTING: discards an OFFER',
    met(requesting('further OFFERs are discarded and say nothing against the network')),
  ),
  must(
    '4.4 figure 5',
    'REQUESTING: sends a DECLINE for an ACK that it does not accept, and begins in INIT',
    deviates(
      'a DECLINE where the address cannot be used here, or somebody else has it. One that is good, and is not accepted for something else (its network is protected, only another one will do, the lease time or the mask makes no sense), is given back by a RELEASE: a DECLINE would keep it from everybody',
      suiteOf(
        'protocol/dhcp4/turn-down.test.ts',
        'an ACK that must not be taken',
      )('in REQUESTING, of another address than the offered one: DECLINE, and a new search'),
      suiteOf(
        'protocol/dhcp4/give-back.test.ts',
        'an ACK to a REQUEST that is not accepted',
      )('in REQUESTING: given back, and sought anew at once, later after 1, 2, 4 s'),
    ),
  ),
  must(
    '4.4 figure 5',
    'REQUESTING, REBOOTING: begins in INIT after a NAK',
    met(
      refused('the first one: at once from the beginning; further ones ever later'),
      remembered(ANY_SERVER),
    ),
  ),
  must(
    '4.4 figure 5',
    'BOUND: discards OFFER, ACK and NAK',
    metSo(
      'after rapid commit the lease of another server that has committed one as well is given back (RFC 4039 3.2)',
      inBound('nothing happens before T1, and messages mean nothing'),
      suiteOf(
        'protocol/dhcp4/give-back.test.ts',
        'a server that commits a lease while that of another one is in use',
      )('hears a RELEASE within four seconds, once; the lease in use is left alone'),
    ),
  ),
  must(
    '4.4 figure 5',
    'RENEWING, REBINDING: stops the use of its address after a NAK, and begins in INIT',
    metSo(
      'in RENEWING after one of the server that was asked, and of no other',
      refused('in RENEWING the address goes at once, but only at the word of the server that was asked'),
      refused('in REBINDING any server was asked'),
      lost('NAK: the address goes before anything is sent, and another is sought and applied'),
    ),
  ),
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
    met(onTheWire(THE_WHOLE), captured(IN_RENEWING)),
  ),
  must(
    '4.4.1',
    'discards an OFFER with another transaction id than that of its DISCOVERs',
    met(transactionId('an answer with another one is not taken')),
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
    declines(
      conflict('DECLINE by broadcast, ten seconds of silence, then from the beginning'),
      by(
        'faults/conflicts.test.ts',
        'conflicts',
        'somebody else has the address',
        'conflict-before-use: declined, and the ADD answers with another one',
      ),
    ),
  ),
  should(
    '4.4.1',
    'announces its new address to the LAN by a broadcast ARP reply',
    deviates(
      'by ARP requests, as RFC 5227 2.3 has it since: more hosts take these as they are meant (3)',
      announced('leased: is announced to the LAN'),
      acdPackets('a probe has no sender address, an announcement the same twice (RFC 5227 1.1)'),
    ),
  ),
  must(
    '4.4.2',
    'asks for its known address (50)',
    met(
      remembered('it is asked for by INIT-REBOOT'),
      sent('requested address (50): in SELECTING, INIT-REBOOT and DECLINE'),
    ),
  ),
  mustNot(
    '4.4.2',
    'names a server (54)',
    met(sent('server identifier (54): in SELECTING, DECLINE and RELEASE')),
  ),
  must('4.4.2', 'takes an ACK of any server with its transaction id', met(remembered(ANY_SERVER))),
  must(
    '4.4.2',
    'counts the lease from when that REQUEST was sent',
    met(remembered('its lease counts from the first of these REQUESTs (RFC 2131 4.4.2)')),
  ),
  shouldNot('4.4.3', 'asks for lease times in DHCPINFORM', NO_INFORM),
  must('4.4.3', 'sends DHCPINFORM to the server port', NO_INFORM),
  should('4.4.3', 'tells the user when nobody answers it, and goes on with defaults', NO_INFORM),
  must(
    '4.4.4',
    'broadcasts DISCOVER and REQUEST, unless it knows the address of a server',
    met(onTheWire(THE_WHOLE), captured(IN_REBINDING)),
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
