import assert from 'node:assert/strict';
import type { Cidr } from '../../../src/base/cidr.ts';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import { type Instant, instant } from '../../../src/base/time.ts';
import { step } from '../../../src/protocol/dhcp4/client.ts';
import type { Habit } from '../../../src/protocol/dhcp4/habit.ts';
import { lessonOf } from '../../../src/protocol/dhcp4/manner.ts';
import { type Dhcp4Config, type Dhcp4State, leaseOf, wakeAt } from '../../../src/protocol/dhcp4/state.ts';
import type { Dhcp4Effect, Dhcp4Event, Env } from '../../../src/protocol/dhcp4/step.ts';
import type { Source } from '../../../src/protocol/dhcp4/source.ts';
import { messageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import { CONFIG, OF_SERVER, reply, type Reply, type ReplyType } from './messages.ts';

/** The machine has been up for a while when a transcript begins: nothing may depend on a zero. */
const ORIGIN = 1_000_000;

export function typeOf(message: Dhcp4Message): string {
  const type = readOption(message.options, 'dhcp-message-type');
  assert.ok(type.kind === 'value');
  return messageTypeName(type.value).replace('DHCP', '');
}

/**
 * An effect in a few words: `> DISCOVER`, `> RELEASE to 192.168.1.1`, `install 192.168.1.50`, `ignore wrong-xid`.
 * An install that replaces a lease in use: `install 192.168.1.51 for 192.168.1.50`.
 */
export function words(effect: Dhcp4Effect): string {
  switch (effect.type) {
    case 'send': {
      const { via, message } = effect;
      return `> ${typeOf(message)}${via.kind === 'unicast' ? ` to ${via.to}` : ''}`;
    }
    case 'install': {
      const { lease, replaces } = effect;
      return `install ${lease.address.address}${replaces === undefined ? '' : ` for ${replaces.address.address}`}`;
    }
    case 'withdraw':
    case 'extend':
      return `${effect.type} ${effect.lease.address.address}`;
    case 'refused':
      return 'refused';
    case 'ignore':
      return `ignore ${effect.reason}`;
    case 'force-renew':
      return effect.refusal === undefined ? 'force-renew' : `force-renew ${effect.refusal}`;
    case 'turned-down':
      return `turned down ${effect.address}`;
    case 'not-accepted':
      return `not accepted ${effect.address}`;
    case 'unacknowledged':
      return `unacknowledged ${effect.address}`;
    case 'ipv6-only':
      return 'ipv6-only';
  }
}

/** Runs one client on virtual time. Times are seconds since it began; each call says what the client does then. */
export class Transcript {
  readonly config: Dhcp4Config;
  readonly #random: () => number;
  state: Dhcp4State = { kind: 'init', last: undefined };
  /** Networks that no route and no address may lie in. */
  protect: readonly Cidr<Ipv4>[] = [];
  objectionTo: Env['objectionTo'];
  account: Env['account'];
  hmacMd5: Env['hmacMd5'];
  /** Where messages come from. */
  source: Source = OF_SERVER;
  now: Instant = instant(ORIGIN);
  last: readonly Dhcp4Effect[] = [];

  /** `random` 0.5 is no jitter and 0.97 of T1; 0 is the shortest wait and T1 as it was given. */
  constructor(config: Partial<Dhcp4Config> = {}, random: () => number = () => 0.5) {
    this.config = { ...CONFIG, ...config };
    this.#random = random;
  }

  static at(seconds: number): Instant {
    return instant(ORIGIN + seconds * 1000);
  }

  get env(): Env {
    const { now, protect, objectionTo, account, hmacMd5 } = this;
    return { now, random: this.#random, protect, objectionTo, account, hmacMd5 };
  }

  /** Where the message of the last step is. */
  get sent(): Dhcp4Message {
    const send = this.last.find((effect) => effect.type === 'send');
    assert.ok(send, 'the last step sent a message');
    return send.message;
  }

  get xid(): number {
    assert.ok('xid' in this.state, `${this.state.kind} has no transaction`);
    return this.state.xid;
  }

  /** When it wants to be woken. */
  get due(): Instant {
    const due = wakeAt(this.state);
    assert.ok(due !== undefined, `${this.state.kind} waits for nothing`);
    return due;
  }

  is(kind: Dhcp4State['kind']): this {
    assert.equal(this.state.kind, kind);
    return this;
  }

  /** An event now. */
  does(event: Dhcp4Event, ...expected: readonly string[]): this {
    const next = step(this.config, this.state, event, this.env);
    this.state = next.state;
    this.last = next.effects;
    assert.deepEqual(next.effects.map(words), expected);
    return this;
  }

  /** The link came back at that time; nothing was due before. */
  linkUp(seconds: number, verify: boolean, ...expected: readonly string[]): this {
    return this.silent(seconds).does({ type: 'link-up', verify }, ...expected);
  }

  /** Nothing is due before that time, and an early wake-up is no reason to do anything. */
  silent(seconds: number): this {
    const until = Transcript.at(seconds);
    const due = wakeAt(this.state);
    assert.ok(due === undefined || due >= until, `silence until ${seconds} s, but due at ${String(due)}`);
    if (due !== undefined && this.now < until) this.does({ type: 'wake' });
    this.now = until;
    return this;
  }

  silentForEver(): this {
    assert.equal(wakeAt(this.state), undefined);
    return this;
  }

  /** Its own timer, exactly then. */
  wake(seconds: number, ...expected: readonly string[]): this {
    this.silent(seconds);
    assert.equal(wakeAt(this.state), Transcript.at(seconds), `the timer is set to ${seconds} s`);
    return this.does({ type: 'wake' }, ...expected);
  }

  /** A message to the transaction under way. */
  hears(seconds: number, type: ReplyType, how: Reply, ...expected: readonly string[]): this {
    const xid = 'xid' in this.state ? this.state.xid : 0;
    const message = reply(type, xid, how);
    return this.silent(seconds).does({ type: 'message', message, source: this.source }, ...expected);
  }

  /** What a server answers to the transaction under way. */
  answer(type: ReplyType, how: Reply = {}): Dhcp4Message {
    return reply(type, this.xid, how);
  }

  /** INIT with an address that was held before. */
  held(last: Ipv4): this {
    this.state = { kind: 'init', last };
    return this;
  }

  start(...expected: readonly string[]): this {
    return this.does({ type: 'start' }, ...expected);
  }

  /** Through DISCOVER, OFFER, REQUEST and ACK at the given time. */
  bound(how: Reply = {}): this {
    const address = how.yiaddr ?? '192.168.1.50';
    return this.start('> DISCOVER')
      .hears(0, 'DHCPOFFER', how, '> REQUEST')
      .hears(0, 'DHCPACK', how, `install ${address}`)
      .is('bound');
  }

  /** How the client after this one begins, by the last state of this one before it had its lease. */
  learned(before: Dhcp4State): Habit {
    const learned = lessonOf(this.config, before, this.now);
    assert.ok(learned !== undefined, `${before.kind} teaches nothing`);
    return learned;
  }

  /** Whatever happened before, with a sane server the client gets a lease. */
  stillWorks(): void {
    for (let turns = 0; turns < 20 && leaseOf(this.state) === undefined; turns++) {
      const due = wakeAt(this.state);
      if (due !== undefined && due > this.now) this.now = due;
      this.take({ type: 'wake' });
      const type = this.state.kind === 'selecting' ? 'DHCPOFFER' : 'DHCPACK';
      const yiaddr = this.config.requestedAddress;
      if ('xid' in this.state) {
        const how = yiaddr === undefined ? {} : { yiaddr };
        this.take({ type: 'message', message: reply(type, this.state.xid, how), source: OF_SERVER });
      }
    }
    assert.ok(leaseOf(this.state) !== undefined, 'the client has a lease in the end');
  }

  /** An event now, whatever the client does then. */
  take(event: Dhcp4Event): void {
    this.state = step(this.config, this.state, event, this.env).state;
  }
}
