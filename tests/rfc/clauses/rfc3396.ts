import { by, deviates, met, metSo, must, mustNot, type Rfc, should, shouldNot } from '../clause.ts';

const MESSAGE = 'wire/dhcp4/message.test.ts';
const LONG = 'wire/dhcp4/split-values.test.ts';
const REPEATED = 'wire/dhcp4/repeated.test.ts';

const SENT = 'a value that is sent (RFC 3396 4 to 6)';
const CUT = by(LONG, SENT, 'is one option up to 255 bytes, and cut into as few as can be beyond');
const ALONE = by(LONG, SENT, 'stands in the options field alone: sname, file and option 52 are not used');
const JOINED = by(
  MESSAGE,
  'parseDhcp4',
  'joins the pieces of an option across all fields: options, file, sname (RFC 3396)',
);
const COPIES = 'an option of a fixed size that a server repeats';
const LISTS = 'an option of many sizes that a server repeats is one long value (RFC 3396)';

/** Where we do not join. */
const COPY =
  'An option whose value has a fixed size, and is complete, is a copy where it comes again, and no piece: servers repeat ' +
  'what they are configured to say beside what they say anyway. The first one counts, and where they differ the log says so.';

export const RFC_3396: Rfc = {
  number: 3396,
  title: 'Encoding Long Options in DHCPv4',
  clauses: [
    must('4', 'cuts a value of more than 255 bytes into pieces by this method', met(CUT)),
    must(
      '4',
      'cuts a shorter value by this method, or does not send it, where there is no room for it in one place',
      metSo(
        'It never cuts one, and refuses a configuration whose options do not fit.',
        CUT,
        by(
          'cni/dhcp/dhcp-conf.test.ts',
          'what cannot be used is refused with its key; keys that nobody knows are not',
        ),
      ),
    ),
    must(
      '4',
      'joins the options of one code that a message has',
      deviates(
        COPY,
        JOINED,
        by(REPEATED, LISTS, 'addresses'),
        by(REPEATED, COPIES, 'a value that is cut in two is one value all the same (RFC 3396)'),
        by(
          REPEATED,
          COPIES,
          '54 dhcp-server-identifier: equal copies are one, of unequal ones the first counts',
        ),
      ),
    ),
    shouldNot(
      '4',
      'cuts an option where it need not, unless the peer can join them',
      metSo(
        'Only options that an RFC lets be long may be longer than 255 bytes at all.',
        CUT,
        by('wire/dhcp4/option-text.test.ts', 'encodeOptionText', 'an option that may be split may be longer'),
      ),
    ),
    must(
      '4',
      'can join every option, also those that nobody has to be able to join',
      met(JOINED, by(REPEATED, LISTS, 'bytes without a row')),
    ),
    must(
      '5',
      'has the options field, file and sname where RFC 2131 has them',
      met(by(MESSAGE, 'emitDhcp4', 'lays the fields out as in RFC 2131 figure 1'), ALONE),
    ),
    mustNot(
      '5',
      'lets an option run over the border of two fields',
      metSo(
        'It sends the options field alone, and drops a message in which one does.',
        ALONE,
        by(MESSAGE, 'parseDhcp4', 'skips Pad, stops at End, and refuses options that run out of their field'),
        by(MESSAGE, 'parseDhcp4', 'reads only the fields that option 52 opens'),
      ),
    ),
    mustNot(
      '5',
      'takes file or sname for options where they are not used so',
      met(by(MESSAGE, 'parseDhcp4', 'reads only the fields that option 52 opens')),
    ),
    must('6', 'sends the pieces in the order of the value', met(CUT)),
    mustNot(
      '6',
      'means anything by where it cuts',
      metSo('Each piece but the last has 255 bytes, whatever the option is.', CUT),
    ),
    must(
      '6',
      'writes each piece as an option of its own: the same code, and lengths that add up to that of the value',
      met(CUT),
    ),
    must(
      '7',
      'takes options of one code for pieces of one',
      deviates(
        COPY,
        JOINED,
        by(REPEATED, COPIES, '1 subnet-mask: equal copies are one, of unequal ones the first counts'),
      ),
    ),
    must(
      '7',
      'puts the pieces together in the order options field, file, sname',
      met(JOINED, by(LONG, 'a search list', 'that is longer than 255 bytes comes whole through a message')),
    ),
    should(
      '7',
      'does not rely on how a value is aligned',
      met(by(MESSAGE, 'properties', 'parse(emit(x)) = x')),
    ),
    mustNot(
      '7',
      'takes each piece for something of its own',
      deviates(COPY, JOINED, by(REPEATED, COPIES, 'a copy may stand in another field')),
    ),
    must(
      '9',
      'is careful to zero each piece of an authentication option before it computes what authenticates a message',
      metSo(
        'A FORCERENEW whose option 90 is in pieces is not obeyed: its 30 bytes need no second one.',
        by(
          'wire/dhcp4/authentication.test.ts',
          'what a digest is computed over (RFC 6704 3.1.3)',
          'in two pieces, in another field, too short, or not there: nothing is computed',
        ),
      ),
    ),
  ],
};
