import type { Claims } from './claims.ts';
import type { ExchangeMeans } from './exchange.ts';
import type { ForcedRenewals } from './forced-renewals.ts';
import type { GuardParts } from './guard.ts';
import type { Inbox } from './inbox.ts';
import type { LeaseWorld } from './ports.ts';
import type { LeaseKey } from './record.ts';
import type { ServerNotes } from './server-notes.ts';
import type { Strangers } from './strangers.ts';

/** What all clients of a manager share. */
export type ClientParts = ExchangeMeans & {
  readonly world: LeaseWorld;
  readonly inbox: Inbox;
  readonly notes: ServerNotes;
  readonly claims: Claims;
  readonly strangers: Strangers;
  readonly forced: Pick<ForcedRenewals, 'judged' | 'isWaiting'>;
  readonly siblingsAsked: GuardParts['siblingsAsked'];
  /** Something that was to be done for the pod of this lease failed, as it does when the pod is gone. */
  readonly suspect: (key: LeaseKey) => void;
  /** The address of a running pod was announced by its kernel, once. */
  readonly announced: (key: LeaseKey) => void;
  /** Does something in its turn, among all that wants to be sent at the same moment. */
  readonly pace: (work: () => void) => void;
};
