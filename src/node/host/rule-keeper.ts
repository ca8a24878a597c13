import { type Cidr, equalNetwork, formatCidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { isSysError } from '../../base/sys-error.ts';
import { type Duration, later, seconds } from '../../base/time.ts';
import { LookTimer } from './look-timer.ts';
import type { Step } from './plan.ts';
import { type GuardSpec, type HostRule, KNOWN_WAY_MARK, RTPROT_LEASEHOLD, type RuleNotice } from './ports.ts';
import { RepairBook, type Repairs } from './repairs.ts';
import type { HostWorld } from './world.ts';

/**
 * Behind the table "local" (0; Cilium moves it to 100), so that addresses that the node has itself are reached (IPVS).
 * Before whatever looks up a table that may lead to the LAN: Cilium's 109 to 111, 512 and more of the AWS CNI, 5210 of
 * Tailscale, 30000 and more of VPNs, 32766 of the table "main".
 */
export const PROHIBIT_PRIORITY = 105;
/** Asked right before: a network may be one that the node has a route to, as that of its other pods. */
export const KNOWN_WAY_PRIORITY = PROHIBIT_PRIORITY - 1;
/** Pods have host routes in the main table: a table of others that has the whole LAN must not come before these. */
export const HOST_ROUTES_PRIORITY = KNOWN_WAY_PRIORITY - 1;

/** The kernel asks all rules for each packet. Networks beyond that have nftables alone. */
const MOST_RULES = 64;
const RETRY: Duration = seconds(5);

/** `networks` and `shims` of what the guard has to say, and the networks of the uplinks, in which the pods are. */
export type RulesWanted = Pick<GuardSpec, 'networks' | 'shims'> & { readonly lans: readonly Cidr<Ipv4>[] };

type RuleName = Omit<HostRule, 'protocol'>;

/**
 * What has to be done so that what comes in by a shim for a service, and was translated by nobody, does not take the
 * node's default route; and what goes to a pod takes the way that we made, whatever rules others have.
 */
export function planRules(what: RulesWanted, seen: readonly HostRule[]): readonly Step[] {
  const wanted = wantedRules(what);
  const ours = seen.filter(({ protocol }) => protocol === RTPROT_LEASEHOLD);
  return [
    ...wanted
      .filter((rule) => !ours.some((one) => isSame(one, rule)))
      .map((rule) => ({ item: itemOf(rule), change: { kind: 'put-rule', ...rule } as const })),
    ...ours
      .filter((rule) => !wanted.some((one) => isSame(one, rule)))
      .map(nameOf)
      .map((rule) => ({
        item: itemOf(rule),
        change: { kind: 'remove-rule', ...rule } as const,
        ends: true as const,
      })),
  ];
}

function wantedRules({ networks, shims, lans }: RulesWanted): readonly RuleName[] {
  const refused = (who: Pick<RuleName, 'iif' | 'mark'>): readonly RuleName[] =>
    networks.flatMap((to): readonly RuleName[] => [
      { ...who, to, priority: KNOWN_WAY_PRIORITY, does: 'known-way' },
      { ...who, to, priority: PROHIBIT_PRIORITY, does: 'prohibit' },
    ]);
  const services = shims.flatMap((iif) => refused({ iif }));
  // The guard asks what these would say, and refuses as kube-proxy does, before they refuse in their way.
  const asked = shims.length > 0 ? refused({ mark: KNOWN_WAY_MARK }) : [];
  const pods = lans.map((to) => ({ to, priority: HOST_ROUTES_PRIORITY, does: 'host-routes' }) as const);
  return [...services, ...pods, ...asked].slice(0, MOST_RULES);
}

function isSame(a: RuleName, b: RuleName): boolean {
  const isForSame = a.iif === b.iif && a.mark === b.mark && equalNetwork(a.to, b.to);
  return isForSame && a.priority === b.priority && a.does === b.does;
}

function nameOf({ iif, mark, to, priority, does }: HostRule): RuleName {
  return {
    ...(iif === undefined ? {} : { iif }),
    ...(mark === undefined ? {} : { mark }),
    to,
    priority,
    does,
  };
}

function itemOf({ iif, mark, to, does }: RuleName): string {
  const who = [
    iif === undefined ? '' : `iif ${iif} `,
    mark === undefined ? '' : `fwmark 0x${mark.toString(16)} `,
  ];
  return `rule ${who.join('')}to ${formatCidr(to)} ${does}`;
}

/**
 * Keeps policy rules that refuse what pods send to services, nobody has translated, and the node has no route of its
 * own for: destinations are translated before a packet is routed, and rules stand while somebody flushes nftables. And
 * those that ask for the pods' routes before any table of others.
 */
export class RuleKeeper {
  readonly #world: HostWorld;
  readonly #book: RepairBook;
  readonly #wanted: () => RulesWanted;
  readonly #timer: LookTimer;
  /** What the rules were made for, as text. */
  #put = '';
  #tail: Promise<void> = Promise.resolve();
  #problem: string | undefined;
  #closed = false;

  /** `wanted`: what they have to say at that moment. */
  constructor(world: HostWorld, repairs: Repairs, wanted: () => RulesWanted) {
    this.#world = world;
    this.#book = new RepairBook(world, repairs, 'ip rule');
    this.#wanted = wanted;
    this.#timer = new LookTimer(world, () => void this.#queue(() => this.#look()));
  }

  /** The rules are those that are wanted when this resolves, or it was said why not. */
  ensure(): Promise<void> {
    return this.#queue(async () => {
      if (textOf(this.#wanted()) !== this.#put) await this.#look();
    });
  }

  /** The kernel says that there is another rule than before. What we do ourselves is as it should be. */
  notice({ gone, ...rule }: RuleNotice): void {
    if (rule.protocol !== RTPROT_LEASEHOLD) return;
    const isWanted = wantedRules(this.#wanted()).some((one) => isSame(one, rule));
    if (isWanted === gone) this.changed();
  }

  /** Somebody may have changed them. */
  changed(): void {
    this.#timer.soon();
  }

  #queue(work: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail.then(work);
    return this.#tail;
  }

  /** A kernel without policy rules (CONFIG_IP_MULTIPLE_TABLES) has nftables alone: it is said once. */
  async #look(): Promise<void> {
    if (this.#closed) return;
    const wanted = this.#wanted();
    this.#timer.looked();
    try {
      await this.#mend(wanted);
      this.#put = textOf(wanted);
      this.#problem = undefined;
    } catch (error) {
      if (!isSysError(error)) throw error;
      if (this.#problem !== error.message) {
        this.#world.log.warn(
          { error: error.message },
          'policy rules, which keep service traffic off the LAN and the way to pods before that of others, cannot be set',
        );
      }
      this.#problem = error.message;
      this.#world.count('rules-failed');
      if (error.code === 'EOPNOTSUPP') this.#put = textOf(wanted);
      else this.#timer.at(later(this.#world.clock.now(), RETRY));
    }
  }

  async #mend(wanted: RulesWanted): Promise<void> {
    const { kernel } = this.#world;
    const steps = planRules(wanted, await kernel.rules()).filter(({ item }) => this.#mayRepair(item));
    const outcomes = await kernel.apply(steps.map(({ change }) => change));
    for (const [at, { item, ends }] of steps.entries()) {
      if (outcomes[at] !== undefined) continue;
      if (ends === true) this.#book.unmade(item);
      else this.#book.note(item);
    }
    this.#book.report();
    const failed = outcomes.find((error) => error !== undefined);
    if (failed !== undefined) throw failed;
  }

  /** False while this is left to whoever changes it back all the time. */
  #mayRepair(item: string): boolean {
    const at = this.#book.notBefore(item);
    if (at !== undefined) this.#timer.at(at);
    return at === undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer.close();
    await this.#tail;
  }
}

function textOf(wanted: RulesWanted): string {
  return wantedRules(wanted).map(itemOf).join(', ');
}
