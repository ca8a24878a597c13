import { type Duration, formatDuration, seconds } from '../base/time.ts';
import { surroundings } from './facts-text.ts';
import type { Finding } from './finding.ts';
import type { LanFacts } from './lan-facts.ts';
import { poolEmpty, slowDoubt } from './pool-empty.ts';
import type { KnownLan, KnownServer } from './ports.ts';

/** A server that answered so lately is there, unless something says that it is not. */
const LATELY = seconds(600);

/** An answer to a renewal may be on its way for so long; most take milliseconds. */
const PROMPTLY = seconds(2);

const WORDS = { offer: 'OFFER', ack: 'ACK', nak: 'NAK' } as const;
const SAYINGS = ['ack', 'offer', 'nak'] as const;

type LastWord = { readonly server: string; readonly said: string; readonly ago: Duration };

/**
 * Where no DISCOVER was answered: a server that is there all the same, by its answer to a DHCPINFORM or by what the
 * daemon has heard of it. Undefined where nothing is known of any.
 */
export function silentServer(facts: LanFacts, known: KnownLan | undefined): Finding | undefined {
  const { informed, informs, link, listened } = facts;
  const last = lastWord(known);
  const [alive] = informed;
  const evidence = [...surroundings(facts), ...knownLines(known)];
  const full = 'its pool is full, or it refuses unknown clients';
  if (alive !== undefined) {
    const before = last === undefined ? '' : ` (a pod ${formatDuration(last.ago)} ago, by ${last.said})`;
    const title = `the DHCP server ${alive.serverId} answers on ${link.name}${before} and is silent to new clients in ${formatDuration(listened)}: ${full}${slowDoubt(listened)}`;
    return poolEmpty(title, evidence);
  }
  if (last === undefined) return undefined;
  const { server, said, ago } = last;
  const answered = `the DHCP server ${server} answered on ${link.name} ${formatDuration(ago)} ago (${said})`;
  const asked = known?.renewalUnanswered;
  const unanswered = asked !== undefined && asked >= PROMPTLY ? asked : undefined;
  if (unanswered === undefined && informs === 0 && ago <= LATELY) {
    return poolEmpty(`${answered} and is silent to new clients: ${full}`, evidence);
  }
  return {
    id: 'server-silent',
    severity: 'error',
    title:
      unanswered === undefined
        ? `${answered} and is silent now: it has stopped, or cannot be reached, or ${full}`
        : `${answered} and is silent now, for ${formatDuration(unanswered)} also to a pod that has a lease: it has stopped, or cannot be reached`,
    evidence,
    remedy: [
      `Look whether the DHCP server ${server} runs and can be reached from ${link.name}, and into its log: it names clients that it has no address for.`,
    ],
  };
}

function lastWord(known: KnownLan | undefined): LastWord | undefined {
  const words = (known?.servers ?? []).flatMap(wordsOf);
  return words.toSorted((a, b) => a.ago - b.ago)[0];
}

function wordsOf(one: KnownServer): readonly LastWord[] {
  return SAYINGS.flatMap((saying) => {
    const ago = one[saying];
    return ago === undefined ? [] : [{ server: one.server, said: WORDS[saying], ago }];
  });
}

/** "192.168.2.1 was heard by pods: ACK 2 s ago, OFFER 2 s ago" */
function knownLines(known: KnownLan | undefined): readonly string[] {
  return (known?.servers ?? []).map((one) => {
    const words = wordsOf(one).map(({ said, ago }) => `${said} ${formatDuration(ago)} ago`);
    return `${one.server} was heard by pods of this node: ${words.join(', ')}`;
  });
}
