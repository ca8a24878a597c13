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
  type Rfc,
} from '../clause.ts';
import { compareSections } from '../evidence.ts';
import { lengthText, OPTION_LENGTHS } from '../option-lengths.ts';
import {
  emitted,
  extending,
  onTheWire,
  parsed,
  requesting,
  routes,
  selecting,
  sent,
  times,
} from './dhcp4-tests.ts';

const lengths = suiteOf(
  'wire/dhcp4/lengths.test.ts',
  'a value of another length than RFC 2132 states is malformed',
);
const text = suiteOf('wire/dhcp4/codec-scalar.test.ts', 'text');
const numbers = suiteOf('wire/dhcp4/codec-scalar.test.ts', 'numbers');
const leaseRest = suiteOf('protocol/dhcp4/lease.test.ts', 'the rest');
const clientIds = suiteOf('cni/identity/client-id.test.ts', 'what goes on the wire');
const clientIdKey = suiteOf('cni/identity/client-id.test.ts', 'the key clientId');

const NOT_ASKED_FOR = doesNotApply(
  'it is not asked for and changes nothing: what the kernel of a pod does beside its addresses, routes and MTU is for its runtime to say',
);

/** Section 2, and what is said of an option beside its length. */
const RULES: readonly Clause[] = [
  shouldNot(
    '2',
    'ends the text of an option with a NUL',
    metSo(
      'in what it makes itself; a value that is configured goes out as it is written',
      by('cni/identity/host-name.test.ts', 'option 12 is the cleaned name; nothing where nothing is left'),
    ),
  ),
  must(
    '2',
    'is prepared to delete NULs at the end of a text',
    met(text('loses trailing NULs and nothing else')),
  ),
  mustNot('2', 'expects a NUL at the end of a text', met(text('loses trailing NULs and nothing else'))),
  must(
    '2',
    'states the length of each option, also where there is but one, or none',
    met(
      sent('no code twice: each option is entirely in one piece of the options field, which End closes'),
      parsed('keeps unknown options, empty ones too'),
    ),
  ),
  must(
    '2',
    'writes and reads numbers in network byte order',
    met(numbers('have exactly their width'), emitted('lays the fields out as in RFC 2131 figure 1')),
  ),
  must(
    '3.1',
    'passes over Pad',
    met(parsed('skips Pad, stops at End, and refuses options that run out of their field')),
  ),
  must(
    '3.2',
    'reads no options behind End',
    met(parsed('skips Pad, stops at End, and refuses options that run out of their field')),
  ),
  should(
    '3.2',
    'fills what is left behind End with Pad',
    met(sent('no code twice: each option is entirely in one piece of the options field, which End closes')),
  ),
  must(
    '3.3',
    'finds the subnet mask (1) before the routers (3), where both are there',
    doesNotApply('servers order them; the order in which they come means nothing to it'),
  ),
  should(
    '3.5',
    'prefers the routers (3) in the order in which they come',
    metSo(
      'the first one that can be a router of this network has the default route',
      routes('option 3: a default route by the first router that can be one'),
    ),
  ),
  should(
    '3.8',
    'prefers the name servers (6) in the order in which they come',
    met(leaseRest('names and name servers')),
  ),
  should(
    '3.17',
    'uses the domain name (15) when it resolves host names',
    metSo(
      'it is in the result, from which the runtime makes resolv.conf',
      by(
        'plugins/lease-result.test.ts',
        'routers, names and MTU of a lease',
        'routers, option 33, DNS servers, domain, search list',
      ),
    ),
  ),
  should('4.1', 'forwards packets as option 19 says', NOT_ASKED_FOR),
  should('4.2', 'forwards packets with non-local source routes as option 20 says', NOT_ASKED_FOR),
  should('4.3', 'discards source-routed packets that no policy filter (21) lets through', NOT_ASKED_FOR),
  must(
    '4.4',
    'takes a reassembly size (22) of 576 bytes at least',
    met(numbers('have the least values of RFC 2132')),
  ),
  should('4.4', 'reassembles datagrams of the size that option 22 says', NOT_ASKED_FOR),
  should('4.5', 'sends with the time-to-live that option 23 says', NOT_ASKED_FOR),
  should('4.7', 'uses the path MTUs that option 25 lists, none of them below 68', NOT_ASKED_FOR),
  must(
    '5.1',
    'takes an MTU (26) of 68 bytes at least',
    deviates(
      'one below 576, which every host has to take (RFC 791), is a mistake or an attack, and is left out',
      leaseRest('option 26 as 2 64 is 576'),
      leaseRest('option 26 as 2 63 is undefined'),
      leaseRest('option 26 as 0 67 is undefined'),
    ),
  ),
  should('5.2', 'assumes smaller MTUs in other subnets where option 27 says so', NOT_ASKED_FOR),
  should('5.4', 'performs mask discovery as option 29 says', NOT_ASKED_FOR),
  should('5.5', 'answers requests for the mask as option 30 says', NOT_ASKED_FOR),
  should('5.6', 'solicits routers as option 31 says', NOT_ASKED_FOR),
  should('5.7', 'sends router solicitations where option 32 says', NOT_ASKED_FOR),
  should(
    '5.8',
    'installs the static routes (33), the first one of each destination before the others',
    met(
      routes('option 33: classful networks and hosts, beside option 3'),
      by(
        'protocol/dhcp4/police-routes.test.ts',
        'routes that are taken',
        'the first of each destination, and a good one after a bad one',
      ),
    ),
  ),
  mustNot(
    '5.8',
    'takes 0.0.0.0 as the destination of a static route (33)',
    met(routes('option 33 has no default route (RFC 2132 5.8)')),
  ),
  should('6.1', 'uses trailers as option 34 says', NOT_ASKED_FOR),
  should('6.3', 'uses the Ethernet encapsulation that option 36 says', NOT_ASKED_FOR),
  should('7.1', 'sends TCP segments with the time-to-live that option 37 says', NOT_ASKED_FOR),
  should('7.2', 'waits for a TCP keepalive as long as option 38 says', NOT_ASKED_FOR),
  should('7.3', 'sends garbage in TCP keepalives as option 39 says', NOT_ASKED_FOR),
  should(
    '8.4',
    'tries to do without vendor-specific information (43) that it wants and does not get',
    met(selecting('what is asked for and not given costs nothing: vendor information, too (RFC 2132 8.4)')),
  ),
  should(
    '8.4',
    'encodes several items of vendor-specific information as codes, lengths and values, without a magic cookie',
    doesNotApply('it has none of its own: what is configured goes out as it is written'),
  ),
  must(
    '8.13',
    'takes a list of home agents (68) that is a multiple of 4 bytes, and may be none',
    deviates(
      'nothing is done with it; an empty one is refused as a value to send',
      by('wire/dhcp4/codec-address.test.ts', 'addresses', 'a list has at least one and no part of one'),
    ),
  ),
  must(
    '9.2',
    'reads the lease time (51) as seconds, without a sign',
    met(times('a lease of all ones has no times'), numbers('a time may be infinite')),
  ),
  must(
    '9.3',
    'reads what the option overload (52) opens after the options field, and takes it for 1, 2 or 3',
    met(
      parsed('joins the pieces of an option across all fields: options, file, sname (RFC 3396)'),
      parsed('refuses an overload that makes no sense'),
    ),
  ),
  must(
    '9.6',
    'takes the message type (53) for one of those that there are',
    met(by('wire/dhcp4/codec-scalar.test.ts', 'message types', 'have the names of the RFCs')),
  ),
  must(
    '9.7',
    'sends what is for one server to the address in its server identifier (54)',
    met(extending('an ACK of another server is taken, and that one is asked from then on')),
  ),
  must(
    '9.7',
    'says by the server identifier (54) of a REQUEST which OFFER it accepts',
    met(
      sent('server identifier (54): in SELECTING, DECLINE and RELEASE'),
      requesting('only the server that was chosen has a say'),
    ),
  ),
  must(
    '9.8',
    'lists codes of options (55), each a byte',
    met(onTheWire('request: named options before the defaults, or instead of them')),
  ),
  shouldNot(
    '9.10',
    'states a maximum message size (57) in DECLINE',
    met(sent('parameter request list (55) and maximum message size (57): not in DECLINE and RELEASE')),
  ),
  must(
    '9.10',
    'states a maximum message size (57) of 576 at least',
    met(sent('maximum message size (57): 576 at least')),
  ),
  must(
    '9.11',
    'begins to renew at T1 (58), counted from when it got the address',
    met(times('as given: 1000 s, 300 and 700 give 300 and 700')),
  ),
  must(
    '9.12',
    'begins to rebind at T2 (59), counted from when it got the address',
    met(times('as given: 1000 s, 300 and 700 give 300 and 700')),
  ),
  should(
    '9.14',
    'gives a client identifier (61) that is a hardware address the type of ARP',
    met(clientIds('mac: type 1 and the address')),
  ),
  should(
    '9.14',
    'gives a client identifier (61) that is anything else the type 0',
    metSo(
      'but for the type 255 of RFC 4361 (`duid`), and what is configured as hex, or by `provide`, which goes out as it is written',
      clientIds('container: containerID/network/ifname behind a zero byte, cut at 254 bytes'),
      clientIds('pod: a path that a person can read'),
      clientIdKey('policies, text and hex'),
    ),
  ),
  must(
    '9.14',
    'has a client identifier (61) that no other client of the subnet has',
    metSo(
      'container, network and interface by default; one that is configured is for its author to choose',
      clientIds('for any attachment: 2 to 255 bytes, the same again, and another one for another key'),
    ),
  ),
  must(
    '9.14',
    'has a client identifier (61) of 2 bytes at least',
    metSo(
      'a single byte is taken from `provide` alone, as the reference plugin takes it',
      clientIds('for any attachment: 2 to 255 bytes, the same again, and another one for another key'),
      clientIdKey('what cannot be meant is refused, with the way out'),
    ),
  ),
];

/** What has another length is as good as not there, and the log names it. */
const OF_LENGTHS: readonly Clause[] = OPTION_LENGTHS.map(({ section, code, name, length }) =>
  must(
    section,
    `takes option ${code} (${name}) with ${lengthText(length)}`,
    met(lengths(`option ${code}: ${lengthText(length)}`)),
  ),
);

export const RFC_2132: Rfc = {
  number: 2132,
  title: 'DHCP Options and BOOTP Vendor Extensions',
  scope:
    'A value of another length than it has to have counts as absent, and is named in the log; one that a lease cannot be without makes the message unusable ([dhcp-options.md](dhcp-options.md#in-an-answer)). Options 62 and 63 are those of RFC 2242.',
  clauses: [...RULES, ...OF_LENGTHS].toSorted((a, b) => compareSections(a.section, b.section)),
};
