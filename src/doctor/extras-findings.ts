import { extraText } from '../protocol/dhcp4/extras.ts';
import { DHCP4_OPTIONS } from '../wire/dhcp4/options.ts';
import type { Finding } from './finding.ts';
import type { ExtraFact, LanFacts } from './lan-facts.ts';

const RAPID_COMMIT = DHCP4_OPTIONS['rapid-commit'].code;

/** What to do about an option that a pod sends by itself. */
const REMEDIES: Readonly<Record<number, string>> = {
  [RAPID_COMMIT]: '"rapidCommit": false',
  [DHCP4_OPTIONS['forcerenew-nonce-capable'].code]: '"forceRenew": false',
  [DHCP4_OPTIONS['dhcp-parameter-request-list'].code]:
    '"request": [{ "option": "routers", "skipDefault": true }], with what the pods need',
  [DHCP4_OPTIONS['dhcp-client-identifier'].code]:
    '"clientId": "mac", which is seven bytes long; a reservation for another identifier has to be changed',
};

/** Options over which the server, or something on the way to it, trips: the plain messages of the probe were answered. */
export function extrasFindings(facts: LanFacts): readonly Finding[] {
  const silent = facts.extras.filter((extra) => extra.silent);
  const single = silent.filter(({ codes }) => codes.length === 1);
  const together = silent.filter(({ codes }) => codes.length > 1);
  const found = single.length > 0 ? single.map((extra) => notTaken(facts, extra)) : [];
  // No option alone is at fault: the message as a whole is, by its length or by two of them.
  const rest = single.some(({ codes }) => codes[0] !== RAPID_COMMIT)
    ? []
    : together.map((extra) => notTaken(facts, extra));
  const unmarked = facts.extras.filter(({ answer }) => answer === 'unmarked-ack');
  return [...found, ...rest, ...unmarked.map(() => unmarkedAck(facts))];
}

function named(codes: readonly number[]): string {
  return codes.map(extraText).join(', ');
}

function notTaken(facts: LanFacts, { codes }: ExtraFact): Finding {
  const { name } = facts.link;
  return {
    id: 'option-not-taken',
    severity: 'warning',
    title: `DHCP on ${name} does not answer a message that carries option ${named(codes)}, and answers the same one without`,
    evidence: facts.extras.map(line),
    remedy: [
      codes.map((code) => REMEDIES[code]).find((text) => text !== undefined) === undefined
        ? `Take option ${named(codes)} out of "send" in the network's dhcp section, or mend the server, the relay or the firewall that drops it.`
        : `Set ${codes.flatMap((code) => REMEDIES[code] ?? []).join(' and ')} in the network's dhcp section, or mend the server, the relay or the firewall that drops it.`,
      'Pods leave it out by themselves where that does not change who they are, and wait for it the first time.',
    ],
  };
}

function unmarkedAck(facts: LanFacts): Finding {
  const { name } = facts.link;
  return {
    id: 'rapid-ack-unmarked',
    severity: 'warning',
    title: `the DHCP server on ${name} answers a DISCOVER with option 80 (rapid-commit) by an ACK without it`,
    evidence: facts.extras.map(line),
    remedy: [
      `Set ${REMEDIES[RAPID_COMMIT] ?? ''} in the network's dhcp section: such an ACK is no complete exchange (RFC 4039 3), and each pod asks once more.`,
    ],
  };
}

const ANSWERS = {
  offer: 'an OFFER',
  ack: 'an ACK, and the lease was released',
  'unmarked-ack': 'an ACK without option 80, and the lease was released',
} as const;

function line({ codes, asks, answer }: ExtraFact): string {
  const times = asks === 1 ? '' : `, ${asks} times`;
  return `DISCOVER as a pod with option ${named(codes)}${times}: ${answer === undefined ? 'no answer' : ANSWERS[answer]}`;
}
