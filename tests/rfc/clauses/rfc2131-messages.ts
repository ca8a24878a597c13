import { by, deviates, doesNotApply, met, must, mustNot, should, suiteOf, type Clause } from '../clause.ts';
import {
  broadcastBit,
  captured,
  capturedAtKea,
  extending,
  fields,
  IN_REBINDING,
  IN_RENEWING,
  onTheWire,
  parsed,
  remembered,
  requesting,
  selecting,
  sent,
  THE_WHOLE,
  transactionId,
  verifying,
} from './dhcp4-tests.ts';
import { AS_UNDER_2, NOT_ALL_MESSAGES } from './rfc2131-verdicts.ts';

const QUICK = [
  selecting('DISCOVER is sent again after 0.25, 0.5, 1 ... 64 s, then every 64 s'),
  selecting('with random 0 each wait is off by -25 %, and by -1 s at most'),
  selecting('with random 0.999999999 each wait is off by 25 %, and by 1 s at most'),
] as const;

const otherInterface = suiteOf(
  'faults/other-interface.test.ts',
  'a pod with another interface that has an address',
);
const fixedSize = suiteOf('wire/dhcp4/repeated.test.ts', 'an option of a fixed size that a server repeats');

/** Sections 4.1 to 4.3. */
export const MESSAGES: readonly Clause[] = [
  must(
    '4.1',
    'closes the options with End',
    met(sent('no code twice: each option is entirely in one piece of the options field, which End closes')),
  ),
  must(
    '4.1',
    'sends from UDP port 68 to port 67',
    met(
      by(
        'lease/host-release.test.ts',
        'RELEASE from the host',
        'a whole frame: from the leased address, by the MAC of the LAN interface, to the server that answers',
      ),
      onTheWire(THE_WHOLE),
    ),
  ),
  must(
    '4.1',
    'sends what is for one server to the address in its server identifier (54)',
    met(
      by(
        'faults/answers.test.ts',
        'answers that are strange and still good',
        'answer-from-another-address: option 54 counts, in ADD and renewals',
      ),
      extending('an ACK of another server is taken, and that one is asked from then on'),
    ),
  ),
  must(
    '4.1',
    'broadcasts from the source address 0 before it has its address',
    met(
      captured('address-of-another-interface: there before the ADD, in RENEWING'),
      captured('address-of-another-interface: not in a DECLINE either'),
      otherInterface(
        'address-of-another-interface: a veth on no uplink of ours, lo down: from DISCOVER to the end',
      ),
      otherInterface('address-of-another-interface: a veth on no uplink of ours, lo down: DECLINE'),
      by('lease/sources.test.ts', 'the source address, by the uplink', 'is 0 in the REQUEST of INIT-REBOOT'),
      onTheWire(THE_WHOLE),
    ),
  ),
  must(
    '4.1',
    'does so too while it verifies an address that it goes on using',
    deviates(
      'every second try comes from that address: a server on another macvlan of the node is not reached without it',
      verifying('every second try comes from the address, for servers that the first does not reach'),
    ),
  ),
  must(
    '4.1',
    'says so by option 52 when its options go on in `sname` or `file`, and fills these as they have to be',
    doesNotApply('it writes no options there, and leaves both empty'),
  ),
  must(
    '4.1',
    'reads the options field first, then `file`, then `sname`, as option 52 says',
    met(
      parsed('joins the pieces of an option across all fields: options, file, sname (RFC 3396)'),
      parsed('reads only the fields that option 52 opens'),
      parsed('refuses an overload that makes no sense'),
    ),
  ),
  must(
    '4.1',
    'takes each option as entirely in its field',
    met(parsed('skips Pad, stops at End, and refuses options that run out of their field')),
  ),
  must(
    '4.1',
    'sends no option twice',
    met(sent('no code twice: each option is entirely in one piece of the options field, which End closes')),
  ),
  must(
    '4.1',
    'joins the values of an option that is there several times',
    deviates(
      'an option whose value has a fixed size, and is complete, is a copy where it comes again: the first one counts. Servers repeat what they are configured to say beside what they say anyway',
      parsed('joins the pieces of an option across all fields: options, file, sname (RFC 3396)'),
      fixedSize('a value that is cut in two is one value all the same (RFC 3396)'),
      fixedSize('a copy may stand in another field'),
    ),
  ),
  must(
    '4.1',
    'sends again what has no answer, after waits that grow exponentially and are randomized',
    met(
      selecting('DISCOVER is sent again after 0.25, 0.5, 1 ... 64 s, then every 64 s'),
      selecting('with random 0 each wait is off by -25 %, and by -1 s at most'),
    ),
  ),
  should(
    '4.1',
    'waits long enough for an answer to arrive',
    deviates(
      'a server that pings an address first answers after several tries. They have one transaction id, so that its answer is taken all the same',
      selecting('all DISCOVERs of a search have one xid, so that a slow OFFER is still taken'),
      by(
        'faults/answers.test.ts',
        'answers that are strange and still good',
        'late-answer: an OFFER after eight seconds',
      ),
    ),
  ),
  should(
    '4.1',
    'waits 4 s before the first retransmission on an Ethernet, randomized by up to 1 s',
    deviates(
      'an ADD waits for the answer: the first wait is 0.25 s, and each further one twice as long. Waits below 4 s are randomized by a quarter, longer ones by a second',
      ...QUICK,
    ),
  ),
  should(
    '4.1',
    'waits 8 s before the next one, randomized by up to 1 s',
    deviates('it is 0.5 s, as above', ...QUICK),
  ),
  should(
    '4.1',
    'doubles the wait each time, up to 64 s',
    met(selecting('DISCOVER is sent again after 0.25, 0.5, 1 ... 64 s, then every 64 s')),
  ),
  must(
    '4.1',
    'chooses transaction ids that are hardly those of another client',
    met(
      transactionId('has 32 random bits'),
      transactionId('is another one for each search, renewal, DECLINE and RELEASE'),
    ),
  ),
  should(
    '4.1',
    'sets BROADCAST if it cannot receive unicast before it has its address',
    doesNotApply('it can: a packet socket hears the uplink'),
  ),
  should(
    '4.1',
    'clears BROADCAST if it can receive unicast before it has its address',
    deviates(
      'the first message is without it, where no pod before it has needed it. From the second try on it is set, in every other round of tries: a unicast to an address that nobody has may not get through. `broadcast` `never` leaves it off',
      broadcastBit('auto: from the second try on'),
      broadcastBit('never'),
      by(
        'faults/network.test.ts',
        'a network with faults',
        'unicast-answers: heard before the address is there, and no ICMP in reply',
      ),
    ),
  ),
  must('4.2', 'uses its client identifier in all further messages', AS_UNDER_2),
  should(
    '4.2',
    'lets the user choose the vendor class identifier (60)',
    met(
      by(
        'plugins/fixtures.test.ts',
        'the conflists that people write by hand work as they are',
        "ipam-options: the server sees the pod's name and the vendor class",
      ),
    ),
  ),
  must('4.3.2', 'uses the client identifier of a REQUEST in all further messages', AS_UNDER_2),
  must(
    '4.3.2',
    'includes the parameter request list of the DISCOVER in all further messages',
    NOT_ALL_MESSAGES,
  ),
  should(
    '4.3.2',
    'configures what the ACK says',
    met(requesting('the address of the ACK counts, not that of the OFFER')),
  ),
  must('4.3.2', 'SELECTING: names the chosen server (54)', met(fields('REQUEST after SELECTING: 50 and 54'))),
  must('4.3.2', 'SELECTING: leaves `ciaddr` 0', met(fields('REQUEST after SELECTING: 50 and 54'))),
  must(
    '4.3.2',
    'SELECTING: asks for the address of the OFFER (50)',
    met(sent('requested address (50): in SELECTING, INIT-REBOOT and DECLINE')),
  ),
  mustNot(
    '4.3.2',
    'INIT-REBOOT: names a server (54)',
    met(sent('server identifier (54): in SELECTING, DECLINE and RELEASE')),
  ),
  must(
    '4.3.2',
    'INIT-REBOOT: asks for the address that it had (50)',
    met(sent('requested address (50): in SELECTING, INIT-REBOOT and DECLINE')),
  ),
  must(
    '4.3.2',
    'INIT-REBOOT: leaves `ciaddr` 0',
    met(sent('ciaddr: the leased address in RENEWING, REBINDING and RELEASE, else 0')),
  ),
  mustNot(
    '4.3.2',
    'RENEWING: names a server (54), or asks for an address (50)',
    met(fields('REQUEST of RENEWING and REBINDING: neither, ciaddr instead')),
  ),
  must(
    '4.3.2',
    'RENEWING: has its address in `ciaddr`',
    met(fields('REQUEST of RENEWING and REBINDING: neither, ciaddr instead')),
  ),
  mustNot(
    '4.3.2',
    'REBINDING: names a server (54), or asks for an address (50)',
    met(fields('REQUEST of RENEWING and REBINDING: neither, ciaddr instead')),
  ),
  must(
    '4.3.2',
    'REBINDING: has its address in `ciaddr`',
    met(fields('REQUEST of RENEWING and REBINDING: neither, ciaddr instead')),
  ),
  must(
    '4.3.2',
    'REBINDING: broadcasts to 255.255.255.255',
    met(captured(IN_REBINDING), capturedAtKea(IN_REBINDING)),
  ),
  must(
    '4.3.6 table 4',
    'broadcasts a REQUEST in SELECTING and INIT-REBOOT',
    met(
      onTheWire(THE_WHOLE),
      captured(IN_RENEWING),
      remembered('it is asked for by INIT-REBOOT'),
      verifying(
        'the lease is asked about in the form of INIT-REBOOT (RFC 2131 4.3.2), and the address stays in use',
      ),
    ),
  ),
  must(
    '4.3.6 table 4',
    'sends a REQUEST by unicast in RENEWING, and broadcasts it in REBINDING',
    met(
      captured(IN_RENEWING),
      captured(IN_REBINDING),
      capturedAtKea(IN_RENEWING),
      capturedAtKea(IN_REBINDING),
    ),
  ),
];
