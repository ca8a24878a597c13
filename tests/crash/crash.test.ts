import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../src/lab/wait.ts';
import { keaSite } from '../daemon/support/kea-site.ts';
import { NETWORK } from '../daemon/support/lan.ts';
import { logText } from '../daemon/support/site.ts';
import { Random } from '../lease/sim/random.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { type AddressOf, compareAll } from './support/compare.ts';
import { readJournal, type Account } from './support/journal.ts';
import { Slot, type Life } from './support/load.ts';
import { Namespaces } from './support/namespaces.ts';
import { MortalDaemon } from './support/mortal-daemon.ts';
import { nextMoment, seedOf } from './support/moments.ts';

const LEASE_SECONDS = 10;
/** Pods that stay for the whole test and have to keep their address. */
const STAYERS = 16;
/** Namespaces in which pods come and go. */
const CHURNERS = 8;
const ROUNDS = 4;
const KILLS_PER_ROUND = 50;
/** Of src/lease/debts.ts. */
const ABANDONED = 'a RELEASE that is owed is given up: its time has passed';
const LOAD_DEADLINE_MS = 60_000;
/** From T1 on it is extended. */
const T1_SHARE = 0.5;
/** All leases are extended within that, once a daemon takes calls: 24, at 50 a second, and an answer. */
const CHANCE_MS = 1000;
/** For a lease whose end the server counts in whole seconds. */
const SLACK_MS = 3000;

test(
  'a daemon killed at any moment under load loses no lease and leaks none',
  { skip: NEEDS_ROOT },
  async (t) => {
    const seed = seedOf();
    t.diagnostic(`SEED=${seed}`);
    const random = new Random(seed).next;
    const site = await keaSite(t, LEASE_SECONDS);
    const daemon = await MortalDaemon.prepare(site);
    await daemon.live();
    // An orderly end keeps what the compiler made; the many starts that follow are as quick as on any node.
    await daemon.stop();
    let startMs = await daemon.live();
    const namespaces = new Namespaces(site);
    const slots = Array.from(
      { length: STAYERS + CHURNERS },
      (_, at) =>
        new Slot(site, { namespaces, isReady: () => daemon.isReady, random: new Random(seed + at).next }),
    );
    await using ends = new AsyncDisposableStack();
    // After a failure the load must not go on while its LAN is taken down.
    ends.defer(async () => void (await Promise.allSettled(slots.map((slot) => slot.rest()))));
    const [stayers, churners] = [slots.slice(0, STAYERS), slots.slice(STAYERS)];
    assert.ok((await Promise.all(stayers.map((slot) => slot.add()))).every(Boolean));
    const kept = stayers.map(({ running }) => running?.address);

    const accountsOf = async (): Promise<(life: Life) => Account | undefined> => {
      const journal = await readJournal(site.lan.server.leaseFile);
      return ({ attachment }) =>
        journal.get(`${attachment.containerId}/${NETWORK.name}/${attachment.ifName}`);
    };
    /** On a slow machine hardly any daemon was there between T1 and the end: nobody could extend the lease. */
    const ranOut = (account: Account | undefined): boolean =>
      account?.lapses.some(
        (end) => daemon.readyWithin(end - T1_SHARE * LEASE_SECONDS * 1000, end) < CHANCE_MS,
      ) === true;
    const addressesOf: AddressOf = async (lives) => {
      const accountOf = await accountsOf();
      return lives.map((life) => {
        const account = accountOf(life);
        return ranOut(account) ? account?.address : life.address;
      });
    };

    const dropped = new Set<Life>();
    const compare = async (): Promise<number> => {
      const inKernel = livesOf(slots).filter((life) => life.isGone !== true && !dropped.has(life));
      const left = await compareAll(site, slots, inKernel, addressesOf);
      const gone = inKernel.filter(({ end }) => end !== 'runs');
      await namespaces.drop(gone.map(({ namespace }) => namespace));
      for (const life of gone) dropped.add(life);
      return left;
    };

    let kills = 0;
    let atCalls = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const slot of churners) slot.go();
      for (let at = 0; at < KILLS_PER_ROUND; at += 1) {
        await daemon.kill();
        if (await daemon.dieAt(nextMoment(random, startMs))) atCalls += 1;
        kills += 1;
      }
      startMs = await daemon.live();
      // However slow the machine, some pods of every round have come.
      const enough = (round + 1) * CHURNERS;
      await waitFor('pods to come', () => livesOf(churners).filter(isAttached).length >= enough, {
        deadlineMs: LOAD_DEADLINE_MS,
      });
      await Promise.all(churners.map((slot) => slot.rest()));
      const left = await compare();
      const added = livesOf(churners).filter(isAttached).length;
      t.diagnostic(
        `after ${kills} kills: ${added} pods, ${left} cut leases at the server, start ${startMs.toFixed()} ms`,
      );
    }

    assert.deepEqual(
      stayers.map(({ running }) => running?.address),
      kept,
    );
    const accountSoFar = await accountsOf();
    for (const slot of slots) {
      // One that has another address than its ADD gave is not as it was.
      if (slot.running === undefined || ranOut(accountSoFar(slot.running))) continue;
      await site.runtime.check(NETWORK, slot.running.attachment);
    }
    await Promise.all(slots.map((slot) => slot.delete()));
    await compare();

    // The server's whole journal: what expired in between is not forgiven.
    const accountOf = await accountsOf();
    const lives = livesOf(slots);
    const [attached, cut] = [lives.filter(isAttached), lives.filter(({ end }) => end === 'cut')];
    const refused = lives.filter(({ end }) => end === 'refused');
    // A namespace that went before its DEL was done needs a RELEASE from the host, which takes longer than most of
    // these daemons live. What was owed until the lease had ended by itself is said in the log.
    const abandoned = logText(site)
      .split('\n')
      .filter((line) => line.includes(ABANDONED));
    const isAbandoned = ({ attachment, isGone }: Life): boolean =>
      isGone === true && abandoned.some((line) => line.includes(attachment.containerId));
    const unreleased = attached.filter((life) => accountOf(life)?.isReleased !== true);
    assert.deepEqual(
      unreleased.filter((life) => !isAbandoned(life) && !ranOut(accountOf(life))),
      [],
      'deleted, neither released nor owed until the end',
    );
    assert.deepEqual(
      refused.filter((life) => accountOf(life) !== undefined),
      [],
      'refused, and asked for a lease',
    );
    const expiring = cut.filter((life) => accountOf(life)?.isReleased === false);
    const lapsed = attached.filter((life) => ranOut(accountOf(life)));
    const renewals = livesOf(stayers).map((life) => (accountOf(life)?.given ?? 0) - 1);
    t.diagnostic(
      `${kills} kills, ${atCalls} at a call; ADDs: ${attached.length} done, ${refused.length} refused, ${cut.length} cut, ` +
        `of whose leases the server lets ${expiring.length} expire; ${unreleased.length} not released; ${lapsed.length} ran out between daemons; renewals of those that stayed: ${renewals.join(' ')}`,
    );
    assert.equal(kills, ROUNDS * KILLS_PER_ROUND);
    assert.ok(attached.length > slots.length && renewals.every((count) => count > 0), 'there was a load');
    await waitFor(
      'the leases of cut ADDs to expire',
      async () => (await site.lan.server.leases()).length === 0,
      {
        deadlineMs: LEASE_SECONDS * 1000 + SLACK_MS,
      },
    );
    assert.ok(!logText(site).includes('moved aside'));
  },
);

function livesOf(slots: readonly Slot[]): readonly Life[] {
  return slots.flatMap(({ lives }) => lives);
}

function isAttached({ end }: Life): boolean {
  return end === 'runs' || end === 'deleted';
}
