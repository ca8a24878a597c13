import { by, doesNotApply, met, metSo, must, mustNot, type Rfc, should, shouldNot } from '../clause.ts';

const MACHINE = 'protocol/dhcp4/anonymity.test.ts';
const SENDS = 'what an anonymous client sends (RFC 7844 3)';
const OLD_ADDRESS = 'no address of before is asked for (RFC 7844 3.3)';
const FIELDS = 'protocol/dhcp4/fields.test.ts';
const TABLES = 'fields and options by state (RFC 2131 tables 4 and 5)';
const PLUGINS = 'plugins/anonymous.test.ts';

const LIFE = by(MACHINE, SENDS, 'in a lease from its first message to its last');
const DECLINE = by(MACHINE, SENDS, 'a DECLINE');
const WHATEVER = by(MACHINE, SENDS, 'whatever happens');
const ON_THE_WIRE = by(
  PLUGINS,
  'two lives of one pod',
  'leasehold, identity anonymous: nothing in common, and no more than RFC 7844 allows',
);
const RANDOM = by(
  MACHINE,
  'orders',
  'of the options and of the list are random (RFC 7844 3.1, 3.6), of each about as often',
);
const ANOTHER_NETWORK = by(
  MACHINE,
  OLD_ADDRESS,
  'a link that was away for long: it may be another network, so it begins anew, with ciaddr zero (3.2)',
);
const NO_WISH = by(MACHINE, OLD_ADDRESS, 'INIT with an address that was held: DISCOVER, without a wish');

const NO_NAME = doesNotApply('It sends none.');

export const RFC_7844: Rfc = {
  number: 7844,
  title: 'Anonymity Profiles for DHCP Clients',
  scope:
    'Of pods with `identity: anonymous` or `clientId: anonymous`, whose MAC address is a random one for each life. The profile for DHCPv6 ' +
    '(section 4) is for clients of DHCPv6.',
  clauses: [
    must('3', 'has the message type in a DISCOVER', met(LIFE, WHATEVER)),
    shouldNot(
      '3',
      'has more in a DISCOVER than type, client identifier and parameter request list',
      met(LIFE, WHATEVER, ON_THE_WIRE),
    ),
    must('3', 'has the message type in a REQUEST', met(LIFE, WHATEVER)),
    must('3', 'has server identifier and requested address in a REQUEST after an OFFER', met(LIFE)),
    shouldNot(
      '3',
      'has more in a REQUEST than these, client identifier and parameter request list',
      met(LIFE, WHATEVER, ON_THE_WIRE),
    ),
    must(
      '3',
      'has message type, server identifier and requested address in a DECLINE',
      met(DECLINE, WHATEVER),
    ),
    must(
      '3',
      'has message type and server identifier in a RELEASE',
      met(
        LIFE,
        by(
          PLUGINS,
          'two lives of one pod',
          'a pod that is gone without a DEL: the RELEASE of the host says no more either',
        ),
      ),
    ),
    must('3', 'has the message type in an INFORM, and little else', doesNotApply('It sends no INFORM.')),
    should(
      '3',
      'fills in the header as DHCP has it',
      metSo(
        'As every client of the program does: the profile changes options only.',
        by(FIELDS, TABLES, 'DISCOVER'),
        by(FIELDS, TABLES, 'REQUEST after SELECTING: 50 and 54'),
        by(FIELDS, TABLES, 'REQUEST of RENEWING and REBINDING: neither, ciaddr instead'),
      ),
    ),
    should('3.1', 'sends no other options than those of the profile', met(WHATEVER, ON_THE_WIRE)),
    should('3.1', 'has its options in random order', met(RANDOM)),
    should('3.2', 'clears ciaddr where it may be on another network now', met(ANOTHER_NETWORK)),
    mustNot(
      '3.2',
      'has an address in ciaddr that it got with another link-layer address',
      metSo(
        'A pod has one MAC address and one lease for its life; the next life knows nothing of it.',
        LIFE,
        by(PLUGINS, 'two lives of one pod', 'the MAC and the address stay over a restart of the daemon'),
        ON_THE_WIRE,
      ),
    ),
    shouldNot(
      '3.3',
      'asks for an address (option 50) in a DISCOVER',
      met(
        WHATEVER,
        NO_WISH,
        by(MACHINE, OLD_ADDRESS, 'nor one that somebody remembers'),
        by(MACHINE, OLD_ADDRESS, 'after a lease that ended, or was refused: without a wish'),
      ),
    ),
    must('3.3', 'has option 50 where DHCP wants it, as in the REQUEST after an OFFER', met(LIFE)),
    should(
      '3.3',
      'begins with a DISCOVER where it remembers an address, not by INIT-REBOOT',
      met(NO_WISH, ANOTHER_NETWORK),
    ),
    should('3.4', 'has its new link-layer address in chaddr where it was changed', met(ON_THE_WIRE)),
    must(
      '3.5',
      'makes its client identifier of its link-layer address, and of nothing else',
      met(
        ON_THE_WIRE,
        by(
          'cni/dhcp/anonymous.test.ts',
          'clientId anonymous',
          'the identifier is the MAC, nothing more is said, and nothing is remembered',
        ),
      ),
    ),
    should(
      '3.5',
      'picks a random identifier on a link that has no link-layer addresses',
      doesNotApply('All of its links are Ethernets.'),
    ),
    should(
      '3.6',
      'asks for few options',
      metSo(
        '1, 121, 3, 6 and 15; and 108 with `ipv6Only`.',
        ON_THE_WIRE,
        by(
          'cni/dhcp/anonymous.test.ts',
          'clientId anonymous',
          'ipv6Only asks for option 108, without which it would be no promise',
        ),
      ),
    ),
    should(
      '3.6',
      'has the codes of that list in random order',
      metSo(
        'But for 121, which RFC 3442 has before 3.',
        RANDOM,
        by(
          MACHINE,
          'orders',
          'the list is the same set in each message, and 121 comes before 3 and 33 (RFC 3442)',
        ),
      ),
    ),
    shouldNot('3.7', 'sends a host name', met(WHATEVER, ON_THE_WIRE)),
    must('3.7', 'sends one label and no whole name, and obfuscates it, where it sends one', NO_NAME),
    should(
      '3.7',
      'makes that name anew with each link-layer address, so that it does not tell that address',
      NO_NAME,
    ),
    should('3.7', 'makes names that are hardly those of another host of the link', NO_NAME),
    shouldNot('3.8', 'sends a client FQDN', met(WHATEVER)),
    mustNot('3.9', 'sends or uses options of PXE, such as 97', met(WHATEVER)),
    shouldNot('3.10', 'sends 43, 60, 124 or 125, which say what the client is', met(WHATEVER, ON_THE_WIRE)),
    should(
      '5',
      'lets its user say when the profile is used, and when not',
      metSo(
        'By network, or for all of a node; by default it is not.',
        by(
          'cni/dhcp/anonymous.test.ts',
          'clientId anonymous',
          'from the daemon: for all networks that state no other',
        ),
        ON_THE_WIRE,
        by(
          PLUGINS,
          'two lives of one pod',
          'with identity pod: what is sent tells that it is the same, and its name',
        ),
      ),
    ),
  ],
};
