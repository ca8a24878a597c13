import {
  by,
  deviates,
  doesNotApply,
  type Evidence,
  met,
  metSo,
  must,
  mustNot,
  type Rfc,
  should,
  shouldNot,
  type Verdict,
} from '../clause.ts';
import { sent } from './dhcp4-tests.ts';

const NAME = 'cni/identity/host-name.test.ts';
const CODEC = 'wire/dhcp4/codec-name.test.ts';
const CONF = 'cni/dhcp/dhcp-conf.test.ts';

const FLAGS = by(NAME, 'option 81: flags, two zero bytes, the name in wire form (RFC 4702 2)');
const ANY_TEXT = by(NAME, 'whatever the text, what is sent is read back as a name in wire form');
const SAME = by(
  'protocol/dhcp4/fields.test.ts',
  'fields and options by state (RFC 2131 tables 4 and 5)',
  'option 81 is the same bytes in DISCOVER, REQUEST, INIT-REBOOT, RENEWING and REBINDING (RFC 4702 2, 2.3)',
);
const ON_THE_WIRE = by(
  'plugins/identity.test.ts',
  'identity and options, as the server sees them',
  'fqdn: option 81 in wire form, and no option 12 beside it',
);
const ROOTED = by(
  CODEC,
  'client FQDN',
  'a name with a trailing dot is rooted, one without is partial (RFC 4702 2.3)',
);

/** In 2 and 3.2 to 3.4. */
function sentUnlessSilent(...evidence: readonly Evidence[]): Verdict {
  return deviates(
    'Not to a server that answers no message with the option: the lease is begun, renewed and released without it then, for a name is worth less than an address.',
    ...evidence,
    by(
      'protocol/dhcp4/extras.test.ts',
      'a server that is silent to a message with one extra',
      'option 81 in any message: served after some tries, and the next pods at once and with all else',
    ),
  );
}

const NO_UPDATES = doesNotApply('It never writes into the DNS.');
const NOTHING_READ = 'Nothing of a server’s option 81 is used: the name of a pod is that of its cluster.';

export const RFC_4702: Rfc = {
  number: 4702,
  title: 'The DHCP Client FQDN Option',
  scope:
    'Sent where `fqdn` is configured. A name that you give to `send` or `provide` as text asks the server for all records; hex digits are not looked into.',
  clauses: [
    must('2', 'sends the option in its REQUESTs where it sent it in the DISCOVER', sentUnlessSilent(SAME)),
    mustNot(
      '2',
      'sends two of them in one message, unless they are pieces of one',
      met(
        SAME,
        sent('no code twice: each option is entirely in one piece of the options field, which End closes'),
      ),
    ),
    must(
      '2',
      'joins the pieces of an option (RFC 3396)',
      met(
        by(
          'wire/dhcp4/message.test.ts',
          'parseDhcp4',
          'joins the pieces of an option across all fields: options, file, sname (RFC 3396)',
        ),
      ),
    ),
    must('2.1', 'has O = 0', met(FLAGS, ANY_TEXT)),
    must('2.1', 'has S = 0 where N = 1', met(FLAGS, ANY_TEXT)),
    should('2.1', 'writes the name in wire form, with E = 1', met(FLAGS, ANY_TEXT)),
    must('2.1', 'leaves the other bits 0', met(FLAGS)),
    must('2.1', 'does not look at them in what it receives', doesNotApply(NOTHING_READ)),
    should('2.2', 'sends 0 in RCODE1 and RCODE2', met(FLAGS, ROOTED)),
    should('2.2', 'does not look at them in what it receives', doesNotApply(NOTHING_READ)),
    should('2.3', 'writes the name in wire form (RFC 1035 3.1)', met(FLAGS, ON_THE_WIRE)),
    must('2.3', 'sets E where it does', met(FLAGS, ANY_TEXT)),
    mustNot('2.3', 'changes the name between messages, unless it has another name', met(SAME)),
    must(
      '2.3',
      'ends a whole name with the empty label, and a part of a name without',
      met(FLAGS, ROOTED, ON_THE_WIRE),
    ),
    shouldNot(
      '2.3.1',
      'uses the old encoding in ASCII',
      met(ANY_TEXT, by(CODEC, 'client FQDN', 'ASCII, and what is wrong')),
    ),
    should(
      '2.3.1',
      'keeps to the characters of host names (RFC 952, RFC 1123)',
      met(
        by(
          'cni/identity/dns-name.test.ts',
          'what is not allowed becomes a hyphen, ends are trimmed, case is kept',
        ),
        by(
          'cni/identity/dns-name.test.ts',
          'whatever the text, the result is empty or a host name, and cleaning it again changes nothing',
        ),
      ),
    ),
    mustNot(
      '3.1',
      'sends a host name (option 12) beside it',
      metSo(
        'Wherever the two come from; the log says which one was left out.',
        by(
          'plugins/dhcp-options.test.ts',
          'every key of the ipam section, as the server sees it',
          '12 and 81 together: 81 alone is sent (RFC 4702 3.1)',
        ),
        by(CONF, 'names', 'never both (RFC 4702 3.1)'),
        ON_THE_WIRE,
      ),
    ),
    should('3.1', 'prefers the option to a host name where it receives both', doesNotApply(NOTHING_READ)),
    must(
      '3.2',
      'sends the option in its REQUEST where it sees to its A record itself',
      sentUnlessSilent(SAME),
    ),
    must(
      '3.2',
      'has S, O and N = 0 then',
      metSo('`update: reverse`: you, or somebody else, see to it.', FLAGS),
    ),
    shouldNot('3.2', 'updates the A record where the server has set S', NO_UPDATES),
    should(
      '3.3',
      'sends the option in its REQUEST where the server is to see to the DNS',
      sentUnlessSilent(SAME, ON_THE_WIRE),
    ),
    must('3.3', 'has S = 1, O and N = 0 then', met(FLAGS, ON_THE_WIRE)),
    should(
      '3.4',
      'sends the option in its REQUEST where the server is to leave the DNS alone',
      sentUnlessSilent(ON_THE_WIRE),
    ),
    must('3.4', 'has N = 1, S and O = 0 then', met(FLAGS, ON_THE_WIRE)),
    should('3.5', 'deletes its A record before a RELEASE', NO_UPDATES),
    should('3.5', 'tries to delete its A record before a lease ends that it cannot renew', NO_UPDATES),
    should('3.5', 'tells its administrator of an A record that it could not delete', NO_UPDATES),
    shouldNot('3.5', 'writes A records for a private address', NO_UPDATES),
    should('5', 'chooses the TTL of its records by the lease, and lets administrators bound it', NO_UPDATES),
    should('6', 'resolves conflicts of names (RFC 4703)', NO_UPDATES),
  ],
};
