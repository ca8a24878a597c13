import { by, deviates, met, metSo, must, mustNot, type Rfc, should } from '../clause.ts';

const MACHINE = 'protocol/dhcp4/force-renew.test.ts';
const SUITE = 'FORCERENEW (RFC 3203, RFC 6704)';
const LEASE = 'lease/forced-renewals.test.ts';
const OPTION_90 = 'wire/dhcp4/authentication.test.ts';
const FORMAT = 'option 90 of the Forcerenew Nonce Authentication (RFC 6704 3.1.2)';

const SAYS = by(
  MACHINE,
  SUITE,
  'option 145 is in every DISCOVER and REQUEST, and in no RELEASE; option 90 in none',
);
const OBEYED = by(
  MACHINE,
  SUITE,
  'an authenticated one renews at once, by unicast; the ACK brings what has changed',
);
const REFUSED = [
  by(MACHINE, SUITE, 'not obeyed', 'unauthenticated'),
  by(MACHINE, SUITE, 'not obeyed', 'signed with another key'),
  by(MACHINE, SUITE, 'not obeyed', 'one bit of the message changed, each in turn'),
] as const;
const PROMISED = by(
  MACHINE,
  SUITE,
  'the nonce',
  'promised and not in the ACK: that is discarded, INIT, and option 145 is not sent again',
);

export const RFC_6704: Rfc = {
  number: 6704,
  title: 'Forcerenew Nonce Authentication',
  clauses: [
    must(
      '3',
      'takes a FORCERENEW only where it is authenticated, by RFC 3118 or by a nonce',
      metSo(
        'By a nonce: it has no keys for the protocols of RFC 3118.',
        OBEYED,
        ...REFUSED,
        by(MACHINE, SUITE, 'not obeyed', 'by another protocol of RFC 3118'),
      ),
    ),
    mustNot('3.1.1', 'sends an authentication option of this protocol', met(SAYS)),
    must('3.1.1', 'lists in option 145 the algorithms that it knows: HMAC-MD5 (1)', met(SAYS)),
    must(
      '3.1.2',
      'reads the authentication option as it is laid out: protocol 3, algorithm 1, method 0, a counter, and a nonce (1) or a digest (2) of 128 bits',
      met(
        by(OPTION_90, FORMAT, 'a digest and a nonce, and the same bytes again'),
        by(OPTION_90, FORMAT, 'a value of 15 bytes: malformed'),
        by(OPTION_90, FORMAT, 'another algorithm: other-method'),
        by(OPTION_90, FORMAT, 'another method of replay detection: other-method'),
      ),
    ),
    must(
      '3.1.2',
      'takes a message only where its counter is greater than that of the last one (RFC 3118 2)',
      met(
        by(MACHINE, SUITE, 'not obeyed', 'the counter of the nonce'),
        by(MACHINE, SUITE, 'not obeyed', 'an earlier counter'),
        by(MACHINE, SUITE, 'not obeyed', 'twice: the second one is a replay, also after the renewal'),
        by(MACHINE, SUITE, 'the nonce', 'the same one again does not take the counter back'),
        by(
          LEASE,
          'a server wants a renewal',
          'it goes on after a restart: a new one is obeyed, one of before is a replay',
        ),
      ),
    ),
    must(
      '3.1.4',
      'has option 145 in each DISCOVER and REQUEST',
      deviates(
        'Not in DISCOVERs from the second try on, for a server may drop them for it; what was answered without it goes on without it. ' +
          'And not where a FORCERENEW could not be obeyed: on no uplink of the node, without MD5, with `forceRenew: false` or for an anonymous client.',
        SAYS,
        by(MACHINE, SUITE, 'it is left out with option 80, in the second DISCOVER'),
        by(LEASE, 'who could not obey says nothing of it', 'no uplink, whose tap hears it'),
        by(LEASE, 'who could not obey says nothing of it', 'no MD5 on this machine'),
        by(LEASE, 'who could not obey says nothing of it', 'not wanted'),
      ),
    ),
    must(
      '3.1.4',
      'looks for a nonce in the ACK; where the OFFER promised one, discards an ACK without a valid one, and goes back to INIT',
      metSo(
        'Then without option 145, so that the pod gets an address from a server that goes on so.',
        PROMISED,
        by(MACHINE, SUITE, 'the nonce', 'what was discarded is given back when nothing else comes'),
        by(
          MACHINE,
          SUITE,
          'the nonce',
          'an OFFER that promises only an algorithm of the future promises nothing',
        ),
      ),
    ),
    must(
      '3.1.4',
      'records the nonce of each valid ACK that has one',
      met(
        by(MACHINE, SUITE, 'the nonce', 'a new one of a later ACK takes the place of the old one'),
        by(
          MACHINE,
          SUITE,
          'the nonce',
          'also by rapid commit and in INIT-REBOOT, where no OFFER has promised one',
        ),
        by(LEASE, 'a server wants a renewal', 'the nonce is on disk, and nowhere else'),
      ),
    ),
    must(
      '3.1.4',
      'computes the HMAC-MD5 of the whole FORCERENEW with that nonce, the digest in it zero, and takes the message where it is the same',
      met(
        by('kernel/hmac-md5.test.ts', 'HMAC-MD5: the vectors of RFC 2104'),
        by(
          OPTION_90,
          'what a digest is computed over (RFC 6704 3.1.3)',
          'the whole message with the digest zero, padding and all; the message itself stays as it is',
        ),
        OBEYED,
        ...REFUSED,
      ),
    ),
    should(
      '5',
      'discards a FORCERENEW that fails to authenticate, without a word',
      metSo(
        'No word on the wire; it is counted, and its sender named in the log.',
        ...REFUSED,
        by(LEASE, 'what is not obeyed', 'unauthenticated: counted, and its sender named'),
      ),
    ),
  ],
};
