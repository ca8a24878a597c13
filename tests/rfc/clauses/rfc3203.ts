import { by, doesNotApply, met, metSo, must, type Rfc, should, shouldNot } from '../clause.ts';

const MACHINE = 'protocol/dhcp4/force-renew.test.ts';
const SUITE = 'FORCERENEW (RFC 3203, RFC 6704)';
const LEASE = 'lease/forced-renewals.test.ts';
const FAULTS = 'faults/forced-renewal.test.ts';
const WANTED = 'a server that wants a renewal';

export const RFC_3203: Rfc = {
  number: 3203,
  title: 'DHCP Reconfigure Extension',
  scope: 'With `forceRenew`, which is on by default, for pods on an uplink of the node.',
  clauses: [
    must(
      '2.2',
      'goes to RENEWING upon a FORCERENEW that was sent to it alone, and renews its lease as ever',
      met(
        by(
          MACHINE,
          SUITE,
          'an authenticated one renews at once, by unicast; the ACK brings what has changed',
        ),
        by(MACHINE, SUITE, 'no answer: once more after 4 s, then as in every renewal'),
        by(FAULTS, WANTED, 'server-wants-renewal: the pod has what has changed, and the nonce is a secret'),
        by(
          LEASE,
          'a server wants a renewal',
          'a lease at rest is renewed at once, and the pod has what has changed',
        ),
      ),
    ),
    must(
      '2.2',
      'goes to INIT, and sends a DISCOVER, where that REQUEST is answered by a NAK',
      met(
        by(MACHINE, SUITE, 'a NAK to that REQUEST: the address goes, and INIT (RFC 3203 2.2)'),
        by(FAULTS, WANTED, 'server-wants-renewal: it refuses then, and the pod gets another address'),
        by(
          LEASE,
          'a server wants a renewal',
          'the answer is a NAK: another address, and the nonce that came with it',
        ),
      ),
    ),
    should(
      '2.2',
      'discards a FORCERENEW that was sent to many, without a word',
      metSo(
        'No word on the wire; it is counted, and its sender named in the log.',
        by(MACHINE, SUITE, 'not obeyed', 'by broadcast'),
        by(MACHINE, SUITE, 'not obeyed', 'to a group'),
        by(
          LEASE,
          'what is not obeyed',
          'in a frame to all, or to a machine that is no pod: nobody looks at it',
        ),
      ),
    ),
    should(
      '2.2',
      'sends an INFORM upon a FORCERENEW where it has its address by other means',
      doesNotApply('It has every address by DHCP.'),
    ),
    shouldNot(
      '2.2',
      'lets the answer to that override what was configured by hand',
      doesNotApply('It sends no INFORM.'),
    ),
    must(
      '6',
      'takes no FORCERENEW that is not authenticated',
      met(
        by(MACHINE, SUITE, 'not obeyed', 'unauthenticated'),
        by(MACHINE, SUITE, 'not obeyed', 'without a nonce, and without MD5'),
        by(FAULTS, WANTED, 'renewal-not-authenticated: counted, its sender named, and nothing is asked'),
        by(LEASE, 'what is not obeyed', 'unauthenticated: counted, and its sender named'),
      ),
    ),
    should(
      '6',
      'discards one that fails to authenticate, without a word',
      metSo(
        'No word on the wire; it is counted, and its sender named in the log.',
        by(MACHINE, SUITE, 'not obeyed', 'signed with another key'),
        by(MACHINE, SUITE, 'not obeyed', 'one bit of the message changed, each in turn'),
        by(
          LEASE,
          'no storm',
          'bogus ones by the thousand cost ten digests a second, and another pod is heard all the same',
        ),
      ),
    ),
  ],
};
