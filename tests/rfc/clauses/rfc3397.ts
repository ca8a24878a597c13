import { by, doesNotApply, met, metSo, must, type Rfc, should, shouldNot } from '../clause.ts';

const NAMES = 'wire/dhcp4/codec-name.test.ts';
const LONG = 'wire/dhcp4/split-values.test.ts';

export const RFC_3397: Rfc = {
  number: 3397,
  title: 'DHCP Domain Search Option',
  clauses: [
    must(
      '2',
      'writes a list with the compression of RFC 1035 4.1.4',
      metSo(
        'It binds who sends a list, which a server does; also the one that you give to `send`.',
        by(
          NAMES,
          'domain-search',
          'what is sent is compressed wherever it can be (RFC 3397 section 2), and reads the same',
        ),
      ),
    ),
    must(
      '2',
      'takes a pointer for an offset in the value, which is all options 119 joined',
      met(
        by(
          LONG,
          'a search list',
          'in three options, with a pointer into the first: the example of RFC 3397 section 3',
        ),
        by(NAMES, 'domain-search', 'the example of RFC 3397 section 2: a pointer into the first name'),
      ),
    ),
    must(
      '3',
      'discards a name that the value ends in, without a zero or a pointer',
      met(
        by(NAMES, 'domain-search', 'where nobody can tell how a name ends, the names before it count'),
        by(NAMES, 'domain-search', 'what is cut off, empty, too long or no host name has a reason'),
      ),
    ),
    should(
      '4',
      'uses the list as RFC 1536 section 6 recommends: no implicit lists, and a name with a dot as it is first',
      doesNotApply(
        'The list goes into the result of ADD. Who resolves names in the container is its C library, or the runtime that writes its resolv.conf.',
      ),
    ),
    shouldNot(
      '4',
      'overrides a search list or DNS servers that were configured by hand',
      met(
        by(
          'plugins/macvlan-ipam.test.ts',
          'addresses by others, and none',
          'dns of the configuration counts instead of what the server says',
        ),
      ),
    ),
  ],
};
