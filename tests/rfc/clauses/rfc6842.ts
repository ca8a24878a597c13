import { by, deviates, met, must, type Rfc } from '../clause.ts';

const SLOPPY = 'protocol/dhcp4/sloppy-servers.test.ts';
const ECHOES = 'an option 61 that comes back otherwise than it was sent (RFC 6842)';

const OTHERS = [
  by(SLOPPY, ECHOES, 'another text: an answer to somebody else'),
  by(SLOPPY, ECHOES, 'ours and more: an answer to somebody else'),
  by(SLOPPY, ECHOES, 'another MAC address: an answer to somebody else'),
] as const;

export const RFC_6842: Rfc = {
  number: 6842,
  title: 'Client Identifier Option in DHCP Server Replies',
  clauses: [
    must(
      '3',
      'compares option 61 of each message with the one that it sends',
      met(
        ...OTHERS,
        by(
          'protocol/dhcp4/reasons.test.ts',
          'a message that is not taken',
          'an identifier comes back to a client that sent none: it is another one’s (RFC 6842)',
        ),
      ),
    ),
    must(
      '3',
      'discards a message whose option 61 is another one, without a word',
      deviates(
        'Not one in which the server has cut it, filled it up with NULs, doubled it, left it empty, or put the MAC address in its place: ' +
          'servers do all of that, and it names nobody else. chaddr and xid have to fit in any case, and no two pods of one link share a chaddr.',
        ...OTHERS,
        by(SLOPPY, ECHOES, 'cut: taken, in OFFER, ACK, renewal and NAK'),
        by(SLOPPY, ECHOES, 'empty: taken, in OFFER, ACK, renewal and NAK'),
        by(SLOPPY, ECHOES, 'filled up with NULs: taken, in OFFER, ACK, renewal and NAK'),
        by(SLOPPY, ECHOES, 'twice, which is joined: taken, in OFFER, ACK, renewal and NAK'),
        by(SLOPPY, ECHOES, 'the MAC address: taken, in OFFER, ACK, renewal and NAK'),
      ),
    ),
  ],
};
