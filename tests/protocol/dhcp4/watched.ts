import assert from 'node:assert/strict';
import { type Instant, instant } from '../../../src/base/time.ts';
import { type Cidr, cidrContains, formatCidr } from '../../../src/base/cidr.ts';
import {
  IPV4_ANY,
  ipv4,
  type Ipv4,
  ipv4FromNumber,
  ipv4ToNumber,
  maskFromPrefix,
} from '../../../src/base/ipv4.ts';
import { step, transactionOf } from '../../../src/protocol/dhcp4/client.ts';
import { EXTRA } from '../../../src/protocol/dhcp4/extras.ts';
import type { ForceRenewRefusal } from '../../../src/protocol/dhcp4/force-renew.ts';
import type { Lease4 } from '../../../src/protocol/dhcp4/lease.ts';
import { type Dhcp4Config, type Dhcp4State, leaseOf, wakeAt } from '../../../src/protocol/dhcp4/state.ts';
import type { Source } from '../../../src/protocol/dhcp4/source.ts';
import type { Dhcp4Effect, Dhcp4Event, Objection } from '../../../src/protocol/dhcp4/step.ts';
import {
  type Dhcp4Message,
  dhcp4Size,
  emitDhcp4,
  MAX_DHCP4_BYTES,
  parseDhcp4,
} from '../../../src/wire/dhcp4/message.ts';
import { DHCP_MESSAGE_TYPE } from '../../../src/wire/dhcp4/message-type.ts';
import { DHCP4_OPTIONS } from '../../../src/wire/dhcp4/options.ts';
import { type Happening, PROTECTED } from './happenings.ts';
import { ADDRESS, HELD_ADDRESS, OF_SERVER, reply, SERVER } from './messages.ts';
import { forceRenew, hmacMd5, KEY, nonceOption, OTHER_KEY } from './signed.ts';

/** Nobody may be flooded: not by a server that answers everything at once or refuses everything, not by a flapping link. */
const MOST_SENDS_PER_SECOND = 10;

const FORCED_PAUSE_MS = 10_000;
/** Of the nonce in an ACK. */
const NONCE_COUNTER = 3;

/** Numbers from a seed (mulberry32), so that the same run can be made twice. */
function numbers(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The first and the last address of a network. */
function endsOf({ address, prefix }: Cidr<Ipv4>): readonly Ipv4[] {
  const mask = ipv4ToNumber(maskFromPrefix(prefix));
  const first = (ipv4ToNumber(address) & mask) >>> 0;
  return [ipv4FromNumber(first), ipv4FromNumber((first | ~mask) >>> 0)];
}

/** What is left of a value in a file: keys that are undefined are gone. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** The kernel takes the address and its routes, and nothing leads into what is protected. */
function checkNetwork({ address: own, serverId, routes, routers }: Lease4): void {
  const ends = own.prefix > 30 ? [] : endsOf(own);
  assert.ok(own.prefix >= 8 && own.address !== serverId && !ends.includes(own.address), formatCidr(own));
  for (const router of [...routers, ...routes.map((route) => route.router)]) {
    if (router !== undefined) assert.ok(router !== own.address && !ends.includes(router), router);
  }
  for (const network of PROTECTED) {
    assert.ok(!cidrContains(network, own.address), formatCidr(own));
    for (const { address, prefix } of [own, ...routes.map(({ dst }) => dst)]) {
      assert.ok(prefix < network.prefix || !cidrContains(network, address), `${address}/${prefix}`);
    }
  }
}

function objectionTo(address: Ipv4): Objection | undefined {
  return address === HELD_ADDRESS
    ? { reason: 'held-on-this-node', holder: 'another pod', tellServer: true }
    : undefined;
}

/** One client, watched: every step is checked against what must hold whatever happens. */
export class Watched {
  readonly config: Dhcp4Config;
  readonly #seed: number;
  state: Dhcp4State;
  now: Instant = instant(500_000);
  /** Where the message of this step came from. */
  #source: Source | undefined;
  #steps = 0;
  #installed: Lease4 | undefined;
  #sends: Instant[] = [];
  /** Hears of each message that is sent. */
  onSent: (message: Dhcp4Message) => void = () => undefined;

  constructor(settings: Dhcp4Config, seed: number, last?: Ipv4) {
    this.config = settings;
    this.state = { kind: 'init', last };
    this.#seed = seed;
  }

  take(event: Dhcp4Event): void {
    const before = this.state;
    const seed = this.#seed + ++this.#steps;
    const run = (state: Dhcp4State) =>
      step(this.config, state, event, {
        now: this.now,
        random: numbers(seed),
        protect: PROTECTED,
        objectionTo,
        hmacMd5,
      });
    const next = run(before);
    assert.deepEqual(run(before), next, 'the same input gives the same step');
    const stored = asJson(before) as Dhcp4State;
    assert.deepEqual(asJson(run(stored)), asJson(next), 'a state that was stored goes on alike');
    this.state = next.state;
    this.#source = event.type === 'message' ? event.source : undefined;
    for (const effect of next.effects) this.#check(before, effect);
    this.#checkState();
  }

  #check(before: Dhcp4State, effect: Dhcp4Effect): void {
    switch (effect.type) {
      case 'send':
        assert.notEqual(before.kind, 'stopped', 'nothing is sent after the end');
        this.#sends = [...this.#sends.filter((at) => at > this.now - 1000), this.now];
        assert.ok(this.#sends.length <= MOST_SENDS_PER_SECOND, 'no flood');
        assert.ok(dhcp4Size(effect.message) <= MAX_DHCP4_BYTES);
        assert.deepEqual(parseDhcp4(emitDhcp4(effect.message)), { ok: true, value: effect.message });
        this.#checkIdentity(before, effect.message);
        this.onSent(effect.message);
        this.#checkRelease(before, effect.message);
        break;
      case 'install':
        assert.deepEqual(effect.replaces, this.#installed, 'what is in use is replaced');
        this.#use(effect.lease);
        break;
      case 'extend':
        assert.deepEqual(effect.lease.address, this.#installed?.address);
        this.#use(effect.lease);
        break;
      case 'withdraw':
        assert.deepEqual(effect.lease, this.#installed, 'what was installed is withdrawn');
        this.#installed = undefined;
        break;
      case 'force-renew':
        this.#checkForced(before, effect.refusal);
        break;
      case 'ipv6-only':
        assert.ok(this.config.ipv6Only && this.state.kind === 'ipv6-only');
        break;
      case 'ignore':
      case 'refused':
      case 'turned-down':
      case 'not-accepted':
      case 'unacknowledged':
        break;
    }
  }

  /** What is obeyed is signed and newer, to a client that has said so, and changes nothing but the counter. */
  #checkForced(before: Dhcp4State, refusal: ForceRenewRefusal | undefined): void {
    const [was, is] = [leaseOf(before), leaseOf(this.state)];
    if (refusal !== undefined) {
      assert.equal(this.state, before);
      return;
    }
    assert.ok(this.config.forceRenew === true && was?.nonce !== undefined && is?.nonce !== undefined);
    assert.ok(is.nonce.replay > was.nonce.replay);
    assert.deepEqual({ ...is, nonce: was.nonce }, was);
    this.#installed = is;
  }

  /** Who must give an identifier does in all messages; else all that are sent for a lease have it, or none (RFC 2131 4.2). */
  #checkIdentity(before: Dhcp4State, { options }: Dhcp4Message): void {
    const { clientId, clientIdOptional } = this.config;
    const has = options.has(EXTRA.clientIdentifier);
    if (clientId === undefined || clientIdOptional !== true) assert.equal(has, clientId !== undefined);
    const lease = leaseOf(this.state) ?? leaseOf(before);
    if (lease === undefined || clientId === undefined) return;
    assert.equal(has, lease.leftOut?.includes(EXTRA.clientIdentifier) !== true, 'one name for one lease');
  }

  /** Whatever was granted: nobody gives back what is in use and goes on to use it, nor what this node has. */
  #checkRelease(before: Dhcp4State, { ciaddr, options }: Dhcp4Message): void {
    const type = options.get(DHCP4_OPTIONS['dhcp-message-type'].code)?.[0];
    if (type !== DHCP_MESSAGE_TYPE.DHCPRELEASE || this.state.kind === 'stopped') return;
    for (const state of [before, this.state])
      assert.notEqual(ciaddr, leaseOf(state)?.address.address, 'a lease in use is released');
    assert.notEqual(ciaddr, HELD_ADDRESS, 'a lease of another pod is released');
  }

  #use(lease: Lease4): void {
    assert.ok(lease.times === undefined || lease.times.expiresAt > this.now, 'it has not ended already');
    this.#checkSource(lease);
    assert.notEqual(lease.address.address, HELD_ADDRESS, 'it is spoken for');
    checkNetwork(lease);
    this.#installed = lease;
  }

  /** Where servers are listed, nothing is taken from elsewhere. */
  #checkSource({ serverId, address: own }: Lease4): void {
    const { servers, relays } = this.config;
    if (servers.length === 0) return;
    assert.ok(servers.includes(serverId), 'in the name of an allowed server');
    assert.ok(this.#source !== undefined, 'from somewhere');
    const { address, holder } = this.#source;
    assert.ok([...servers, ...relays].includes(address), 'from an allowed address');
    if (!cidrContains(own, address)) return;
    assert.ok(holder === 'sender' || holder === 'unasked', 'from the machine that answers for the address');
  }

  #checkState(): void {
    const lease = leaseOf(this.state);
    assert.deepEqual(lease, this.#installed, 'installed is what the state holds');
    if (lease !== undefined) {
      const { times, acquiredAt, address } = lease;
      assert.ok(
        times === undefined ||
          (acquiredAt < times.renewAt && times.renewAt < times.rebindAt && times.rebindAt < times.expiresAt),
        'T1 < T2 < end',
      );
      assert.ok(this.config.requestedAddress === undefined || address.address === ADDRESS);
    }
    const due = wakeAt(this.state);
    if (this.state.kind !== 'bound' && due !== undefined && lease === undefined) {
      assert.ok(due >= this.now || 'tries' in this.state || this.state.kind === 'waiting');
    }
  }

  /** A wake-up that is due sets the next one later, or the client would spin. */
  wake(): void {
    const due = wakeAt(this.state);
    if (due === undefined) {
      this.take({ type: 'wake' });
      return;
    }
    if (due > this.now) this.now = due;
    this.take({ type: 'wake' });
    const next = wakeAt(this.state);
    assert.ok(next === undefined || next > this.now, `${this.state.kind}: the next wake-up lies ahead`);
  }

  happen(what: Happening): void {
    switch (what.kind) {
      case 'wake':
        this.wake();
        break;
      case 'pass':
        this.now = instant(this.now + what.ms);
        this.take({ type: 'wake' });
        assert.ok((leaseOf(this.state)?.times?.expiresAt ?? this.now + 1) > this.now, 'not past its end');
        break;
      case 'link-up':
        this.take({ type: 'link-up', verify: what.verify });
        break;
      case 'message': {
        const xid = ((transactionOf(this.state) ?? 1) ^ what.xidOff) >>> 0;
        const message = reply(what.type, xid, {
          yiaddr: ipv4(what.yiaddr),
          options: {
            'dhcp-lease-time': what.lease,
            'dhcp-server-identifier': ipv4(what.server),
            routers: [ipv4(what.router)],
            ...(what.mask === undefined ? {} : { 'subnet-mask': maskFromPrefix(what.mask) }),
            ...(what.rapid ? { 'rapid-commit': true } : {}),
            ...(what.nonce
              ? { 'forcerenew-nonce-capable': [1], authenticate: nonceOption(KEY, NONCE_COUNTER) }
              : {}),
            ...(what.t1 === undefined ? {} : { 'dhcp-renewal-time': what.t1 }),
            ...(what.t2 === undefined ? {} : { 'dhcp-rebinding-time': what.t2 }),
            ...(what.v6Only === undefined ? {} : { 'v6-only-preferred': what.v6Only }),
          },
          raw: what.mangled,
        });
        this.now = instant(this.now + 1);
        this.take({ type: 'message', message, source: what.source });
        break;
      }
      case 'force-renew': {
        const { chaddr } = this.config;
        const key = what.signed ? KEY : OTHER_KEY;
        const bytes = forceRenew({ chaddr, server: SERVER, key, replay: what.counter });
        const message = parseDhcp4(bytes);
        assert.ok(message.ok);
        const to = leaseOf(this.state)?.address.address ?? IPV4_ANY;
        this.take({ type: 'force-renew', heard: { message: message.value, bytes, source: OF_SERVER, to } });
        break;
      }
      case 'renew':
        // No sooner after another one: lease/forced-renewals.ts holds that.
        this.happen({ kind: 'pass', ms: FORCED_PAUSE_MS });
        this.take({ type: 'renew' });
        break;
      case 'conflict':
      case 'release':
      case 'start':
        this.take({ type: what.kind });
        break;
    }
  }
}
