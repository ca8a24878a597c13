import { by, deviates, type Evidence, type Verdict } from '../clause.ts';
import { extras, identity, sent } from './dhcp4-tests.ts';

// What RFC 2131 says in several sections, and what becomes of it.

export const ANOTHER_NAME = [
  sent('client identifier (61): the same in each'),
  identity('without it a message is another transaction, and the REQUEST is of the client that was answered'),
  identity('one that somebody chose is in every message, whatever happens'),
  extras('renewals, a RELEASE and a DECLINE lack what the REQUEST lacked'),
] as const;

/** In 4.2 and 4.3.2 it is said again. */
export const AS_UNDER_2 = deviates('as under 2', ...ANOTHER_NAME);

/** Who is told that an address is in use, in 3.1, 3.2 and 4.4.1. */
export function declines(...evidence: readonly Evidence[]): Verdict {
  return deviates(
    'not where another pod of this node has the address under the very same identity: the server gave it to that one rightly',
    ...evidence,
    by(
      'protocol/dhcp4/turn-down.test.ts',
      'an OFFER that must not be taken',
      'that belongs to the same client is never declined: the server gave it rightly',
    ),
  );
}

/** Of RFC 2131 4.3.2 and 4.4.1. */
export const NOT_ALL_MESSAGES = deviates(
  'it is in each DISCOVER and REQUEST. Table 5 forbids it in DECLINE and RELEASE, and counts. To a server that does not answer it is a short list, as under 3.5',
  sent('parameter request list (55) and maximum message size (57): not in DECLINE and RELEASE'),
  extras(
    'a long list (55) in any message: served after some tries, and the next pods at once and with all else',
  ),
);
