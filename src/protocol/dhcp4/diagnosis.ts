import { between, formatDuration, type Instant } from '../../base/time.ts';
import { IGNORE_REASONS, type IgnoreReason } from './reasons.ts';
import type { Acquisition } from './state.ts';

/** What the network did, as one word: the outcome decides the error code. */
export type Outcome = 'silent' | 'refused' | 'unusable' | 'unfinished';

export function outcomeOf(acquisition: Acquisition): Outcome {
  if (acquisition.naks > 0) return 'refused';
  // A second OFFER, from another server or for a DISCOVER sent twice, is no fault of the first one.
  const faults = Object.keys(acquisition.ignored).filter((reason) => reason !== 'offer-not-chosen');
  if (faults.length + acquisition.turnedDown.length > 0) return 'unusable';
  return acquisition.offers > 0 ? 'unfinished' : 'silent';
}

const REASON_TEXTS: Readonly<Record<string, string>> = IGNORE_REASONS;
/** Said with the address, the server and who has it. */
const OBJECTIONS: ReadonlySet<string> = new Set<IgnoreReason>(['held-on-this-node', 'in-conflict']);

function times(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** "1 DISCOVER, 1 REQUEST and 1 DECLINE". */
function listed(items: readonly string[]): string {
  const [last, ...others] = items.toReversed();
  return others.length === 0 ? (last ?? '') : `${others.toReversed().join(', ')} and ${last}`;
}

/** What was sent, what came back, and why it was not taken: one line for a person who looks at a failed ADD. */
export function describeAcquisition(acquisition: Acquisition, now: Instant): string {
  const {
    discovers,
    requests,
    declines,
    releases,
    returned,
    offers,
    naks,
    nakText,
    nakServer,
    wanted,
    instead,
    strangers,
    impostors,
    turnedDown,
  } = acquisition;
  const sent = [
    ...(discovers > 0 ? [times(discovers, 'DISCOVER')] : []),
    ...(requests > 0 ? [times(requests, 'REQUEST')] : []),
    ...(declines > 0 ? [times(declines, 'DECLINE')] : []),
    ...(releases > 0 ? [times(releases, 'RELEASE')] : []),
  ];
  const wish = wanted === undefined ? '' : `${wanted} was asked for: `;
  const parts = [
    `${wish}sent ${listed(sent) || 'nothing'} in ${formatDuration(between(acquisition.since, now))}`,
  ];
  if (offers > 0) parts.push(`took ${times(offers, 'OFFER')}`);
  if (naks > 0) {
    const by = nakServer === undefined ? '' : ` of ${nakServer}`;
    parts.push(`was refused by ${times(naks, 'NAK')}${by}${nakText === undefined ? '' : ` ("${nakText}")`}`);
  }
  for (const { address, serverId, holder, times: count } of turnedDown) {
    const often = count > 1 ? ` (${count} times)` : '';
    parts.push(`did not take ${address} of ${serverId}${often}: ${holder} has it`);
  }
  const back = new Set(
    returned.filter(({ released }) => released).map(({ address, serverId }) => `${address} of ${serverId}`),
  );
  if (back.size > 0) parts.push(`gave back ${listed([...back])}`);
  const named: Readonly<Record<string, readonly string[]>> = {
    'other-address': instead,
    'server-not-allowed': strangers,
    'source-not-allowed': impostors,
    'forged-source': impostors,
    'unconfirmed-source': impostors,
  };
  const reasons = Object.entries(acquisition.ignored).filter(([reason]) => !OBJECTIONS.has(reason));
  for (const [reason, count] of reasons) {
    const names = named[reason] ?? [];
    const who = names.length === 0 ? '' : ` (${names.join(', ')})`;
    parts.push(`ignored ${times(count, 'message')}: ${REASON_TEXTS[reason]}${who}`);
  }
  if (offers + naks + turnedDown.length + reasons.length === 0) parts.push('nothing came back');
  return parts.join('; ');
}
