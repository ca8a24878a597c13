import { ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { type Instant, instant } from '../../../src/base/time.ts';
import {
  type Acd4Config,
  type Acd4Event,
  type Acd4State,
  step,
  wakeAt,
} from '../../../src/protocol/acd4/machine.ts';
import { announcement, probe } from '../../../src/protocol/acd4/packets.ts';
import type { ArpPacket } from '../../../src/wire/arp.ts';

export const ADDRESS = ipv4('192.168.1.50');
export const OTHER_ADDRESS = ipv4('192.168.1.51');
export const OWN = mac('02:00:5e:10:00:01');
export const OTHER = mac('02:00:5e:10:00:02');
export const CONFIG: Acd4Config = { address: ADDRESS, mac: OWN };
export const START = 1_000_000;

/** What somebody else may send about the address. */
export const THEIRS = {
  probe: probe(ADDRESS, OTHER),
  announcement: announcement(ADDRESS, OTHER),
  reply: { op: 'reply', senderMac: OTHER, senderIp: ADDRESS, targetMac: OWN, targetIp: ipv4('0.0.0.0') },
  question: { ...announcement(ADDRESS, OTHER), targetIp: OTHER_ADDRESS },
} satisfies Record<string, ArpPacket>;

/** A machine and its own clock; what it does is written down as "ms what". */
export class Play {
  readonly journal: string[] = [];
  readonly random: () => number;
  state: Acd4State = { kind: 'idle' };
  now: Instant = instant(START);

  constructor(random: () => number = () => 0.5) {
    this.random = random;
  }

  do(event: Acd4Event): void {
    const next = step(CONFIG, this.state, event, { now: this.now, random: this.random });
    this.state = next.state;
    for (const effect of next.effects) this.journal.push(`${this.now - START} ${nameOf(effect)}`);
  }

  hear(packet: ArpPacket): void {
    this.do({ type: 'packet', packet });
  }

  pass(ms: number): void {
    this.now = instant(this.now + ms);
  }

  /** Wakes it whenever it wants, until it wants no more. */
  run(): void {
    for (let at = wakeAt(this.state); at !== undefined; at = wakeAt(this.state)) {
      this.now = at;
      this.do({ type: 'wake' });
    }
  }
}

function nameOf(effect: ReturnType<typeof step>['effects'][number]): string {
  switch (effect.type) {
    case 'send':
      return effect.packet.senderIp === ADDRESS ? 'announce' : 'probe';
    case 'clear':
      return 'clear';
    case 'conflict':
    case 'defended':
      return `${effect.type} ${effect.by}`;
  }
}
