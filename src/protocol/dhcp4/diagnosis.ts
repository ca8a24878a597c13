import { between, formatDuration, type Instant } from '../../base/time.ts';
import { IGNORE_REASONS } from './reasons.ts';
import type { Acquisition } from './state.ts';

/** What the network did, as one word: the outcome decides the error code. */
export type Outcome = 'silent' | 'refused' | 'unusable' | 'unfinished';

export function outcomeOf(acquisition: Acquisition): Outcome {
  if (acquisition.naks > 0) return 'refused';
  // A second OFFER, from another server or for a DISCOVER sent twice, is no fault of the first one.
  const faults = Object.keys(acquisition.ignored).filter((reason) => reason !== 'offer-not-chosen');
  if (faults.length > 0) return 'unusable';
  return acquisition.offers > 0 ? 'unfinished' : 'silent';
}

const REASON_TEXTS: Readonly<Record<string, string>> = IGNORE_REASONS;

function times(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** What was sent, what came back, and why it was not taken: one line for a person who looks at a failed ADD. */
export function describeAcquisition(acquisition: Acquisition, now: Instant): string {
  const { discovers, requests, offers, naks, nakText, strangers, impostors } = acquisition;
  const sent = [
    ...(discovers > 0 ? [times(discovers, 'DISCOVER')] : []),
    ...(requests > 0 ? [times(requests, 'REQUEST')] : []),
  ];
  const parts = [
    `sent ${sent.join(' and ') || 'nothing'} in ${formatDuration(between(acquisition.since, now))}`,
  ];
  if (offers > 0) parts.push(`took ${times(offers, 'OFFER')}`);
  if (naks > 0)
    parts.push(`was refused by ${times(naks, 'NAK')}${nakText === undefined ? '' : ` ("${nakText}")`}`);
  const named: Readonly<Record<string, readonly string[]>> = {
    'server-not-allowed': strangers,
    'source-not-allowed': impostors,
    'forged-source': impostors,
    'unconfirmed-source': impostors,
  };
  const reasons = Object.entries(acquisition.ignored);
  for (const [reason, count] of reasons) {
    const names = named[reason] ?? [];
    const who = names.length === 0 ? '' : ` (${names.join(', ')})`;
    parts.push(`ignored ${times(count, 'message')}: ${REASON_TEXTS[reason]}${who}`);
  }
  if (offers + naks + reasons.length === 0) parts.push('nothing came back');
  return parts.join('; ');
}
