import { formatDuration } from '../base/time.ts';
import { wayLines } from './facts-text.ts';
import { type Finding, wifiFact } from './finding.ts';
import { answeredWays, type LanFacts } from './lan-facts.ts';
import { letForeignMacsPass } from './platform-remedies.ts';
import type { Platform } from './platform.ts';
import { poolEmpty, slowDoubt } from './pool-empty.ts';

/** What is wrong when the node's own MAC is answered and a pod's is not, or not as well. */
export function macFindings(facts: LanFacts, platform: Platform): readonly Finding[] {
  const answered = answeredWays(facts);
  if (answered.size === 0) return [];
  if (!answered.has('child') && !answered.has('child-unicast')) {
    if (answered.has('own-frame')) return [macFilter(facts, platform, '')];
    if (hasRoom(facts)) return [macFilter(facts, platform, ', or the server does not serve unknown MACs')];
    return [noNewClient(facts)];
  }
  if (answered.has('child-unicast')) return [];
  return answered.has('own-unicast') ? [unicastFilter(facts, platform)] : [broadcastOnly(facts)];
}

/** A new client on the uplink's own MAC got an address that the node does not have already: the pool is not empty. */
function hasRoom({ offers, link }: LanFacts): boolean {
  const nodes = new Set(link.addresses.map(({ address }) => address));
  for (const { way, address } of offers) if (way === 'own' || way === 'own-unicast') nodes.add(address);
  return offers.some(({ way, address }) => way === 'new' && !nodes.has(address));
}

function macFilter(facts: LanFacts, platform: Platform, doubt: string): Finding {
  const { name, mac } = facts.link;
  return {
    id: 'mac-filter',
    ...(platform === 'wifi' ? { fact: wifiFact(name) } : {}),
    severity: 'error',
    title: `DHCP answers ${name}'s own MAC ${mac} but no other MAC on it: the hypervisor, the access point or the switch drops frames of MAC addresses that it does not know${doubt}`,
    evidence: wayLines(facts),
    remedy: letForeignMacsPass(platform),
  };
}

function noNewClient(facts: LanFacts): Finding {
  const { link, listened } = facts;
  return poolEmpty(
    `DHCP answers ${link.name} as the client that it knows, and no new client in ${formatDuration(listened)}: its pool is empty, or it serves known clients only${slowDoubt(listened)}`,
    [
      ...wayLines(facts),
      'a client cannot see how many addresses are left; a switch that compares frame and message (DHCP snooping) looks the same',
    ],
  );
}

function unicastFilter(facts: LanFacts, platform: Platform): Finding {
  const { name } = facts.link;
  return {
    id: 'unicast-filter',
    severity: 'error',
    title: `frames of other MAC addresses leave ${name}, but frames addressed to them do not arrive: what is in front of ${name} delivers only broadcasts and its own MAC`,
    evidence: wayLines(facts),
    remedy: letForeignMacsPass(platform),
  };
}

function broadcastOnly(facts: LanFacts): Finding {
  return {
    id: 'broadcast-only',
    severity: 'note',
    title: `DHCP on ${facts.link.name} answers only requests with the broadcast bit`,
    evidence: wayLines(facts),
    remedy: [
      'Set "broadcast": "always" in the network\'s dhcp section; without it each pod finds out by its second message.',
    ],
  };
}
