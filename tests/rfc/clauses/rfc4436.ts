import {
  by,
  deviates,
  doesNotApply,
  met,
  metSo,
  must,
  mustNot,
  type Rfc,
  should,
  shouldNot,
} from '../clause.ts';

const VERIFY = 'protocol/dhcp4/verify.test.ts';
const BACK = 'the link of a lease in use comes back (RFC 2131 3.7)';
const LINK_UP = 'protocol/dhcp4/link-up.test.ts';

const ASKED = by(
  VERIFY,
  BACK,
  'the lease is asked about in the form of INIT-REBOOT (RFC 2131 4.3.2), and the address stays in use',
);
const NOT_TOLD = by(
  'lease/self-answers.test.ts',
  'a server that does not know where the pod is',
  'is told by ARP from the second try on, and in REBINDING; not while a lease is verified',
);
const NO_TEST = doesNotApply('It makes no reachability test.');

export const RFC_4436: Rfc = {
  number: 4436,
  title: 'Detecting Network Attachment in IPv4 (DNAv4)',
  scope:
    'Leasehold makes no reachability test: a pod uses its address all the time, so that it would gain nothing, and a router of the same ' +
    'addresses is found in many networks (docs/dhcp-exchange.md). What the RFC says of DHCP beside the test binds it.',
  clauses: [
    should('2', 'tests routers, best the default gateways', NO_TEST),
    should('2', 'configures only routes whose next hop passed the test, and learns the others anew', NO_TEST),
    shouldNot('2.1', 'makes the test where DHCP authentication is configured', NO_TEST),
    should('2.1', 'goes on to use the address of a network that passed', NO_TEST),
    should('2.1', 'discards further answers to the test', NO_TEST),
    should('2.1', 'asks by DHCP beside the test, and goes by the first answer', met(ASKED)),
    should('2.1', 'goes by DHCP where it says something else than the test, and later', NO_TEST),
    shouldNot('2.1', 'repeats the test more than twice', NO_TEST),
    shouldNot(
      '2.1',
      'does all of this more than once a second',
      met(
        by(VERIFY, BACK, 'a link that flaps: no faster than a lease is confirmed, and a try is near anyway'),
        by(
          LINK_UP,
          'a link that flaps is no reason for a flood',
          'a renewal is repeated once a second at most',
        ),
      ),
    ),
    must(
      '2.1.1',
      'has the tested node and its own candidate as the IP addresses of the ARP request',
      NO_TEST,
    ),
    must('2.1.1', 'sends it from its own MAC address to that of the tested node', NO_TEST),
    must('2.1.1', 'compares both addresses of the sender of the reply with those that it asked', NO_TEST),
    shouldNot(
      '2.1.1',
      'answers ARP requests before the configuration is confirmed',
      deviates(
        'The pod’s kernel answers for the address all the time. To take the address away at each blink of a switch would break more ' +
          'than it saves; a server of another network takes it away as soon as it is asked.',
        ASKED,
        by(VERIFY, BACK, 'a NAK of any server: the address is gone at once'),
      ),
    ),
    shouldNot(
      '2.1.1',
      'broadcasts ARP requests from its address before that',
      deviates(
        'The daemon announces the address after its probes, 4 to 7 s after the link is back; the pod’s kernel asks as the pod goes on to speak.',
        NOT_TOLD,
      ),
    ),
    shouldNot('2.1.1', 'takes an ICMP echo for the test', NO_TEST),
    should(
      '2.2',
      'asks for its address by a REQUEST of INIT-REBOOT, to the broadcast address, where it has one whose lease has not ended',
      metSo(
        'But for anonymous clients, which begin with a DISCOVER (RFC 7844 3.3).',
        ASKED,
        by(VERIFY, BACK, 'an infinite lease is asked about as well'),
        by(
          'lease/reconnected.test.ts',
          'a sleep',
          'of more than ten seconds: the lease is verified too, in the form of INIT-REBOOT (RFC 2131 3.7)',
        ),
      ),
    ),
    mustNot('2.2', 'sends that REQUEST to the server’s own address', met(ASKED)),
    should(
      '2.2',
      'sends it again as RFC 2131 4.1 has it',
      metSo(
        'For 64 s; then the lease goes on, for nobody said no.',
        by(VERIFY, BACK, 'no answer for a minute: nobody said no, and T1 is where it was'),
      ),
    ),
    must(
      '2.3',
      'probes for a link-local address and announces it as RFC 3927 has it, each time that it wants one back',
      doesNotApply('It takes no link-local addresses.'),
    ),
    mustNot(
      '2.3',
      'takes the test for a short cut to a link-local address',
      doesNotApply('It takes no link-local addresses.'),
    ),
    shouldNot(
      '2.4',
      'tests addresses that were configured by hand, unless somebody wants it',
      doesNotApply('It knows no addresses but those of DHCP.'),
    ),
    shouldNot('3', 'adjusts its security, such as a firewall, to what the test says', NO_TEST),
    shouldNot(
      '3',
      'makes the test, but uses DHCP authentication, where it depends on a secure IP configuration',
      NO_TEST,
    ),
  ],
};
