import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { viewResult } from '../../src/lab/cni-result.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { hasAddress, lanSite, NETWORK, newPod } from './support/lan.ts';
import { emptySite, endBy, logText, startAt } from './support/site.ts';

/** Whether somebody holds a lock of its open file description on the file (proc(5), /proc/locks). */
function isLocked(path: string): boolean {
  const inode = existsSync(path) ? statSync(path).ino : undefined;
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .some((line) => line.includes('OFDLCK') && line.includes(`:${inode} `));
}

test(
  'ADD and CHECK wait for a daemon that starts: for the first, for one after an end and one after a kill',
  { skip: NEEDS_ROOT },
  async (t) => {
    const site = await lanSite(t);
    const lock = `${site.socket}.lock`;
    const one = await newPod(site, 'one');
    const first = startAt(site);
    await waitFor('the daemon to begin', () => isLocked(lock), { everyMs: 2 });
    assert.ok(!existsSync(site.socket), 'it is not there yet');
    const { result } = await site.runtime.add(NETWORK, one.attachment, { delOnFailure: false });
    const address = viewResult(result).address?.address ?? '';
    assert.ok(await hasAddress(one, address));

    assert.equal(await endBy(await first, 'SIGTERM'), 'exit status 0');
    assert.ok(!isLocked(lock));
    const second = startAt(site);
    await waitFor('the daemon to begin', () => isLocked(lock), { everyMs: 2 });
    await site.runtime.check(NETWORK, one.attachment);

    assert.equal(await endBy(await second, 'SIGKILL'), 'SIGKILL');
    assert.ok(existsSync(site.socket) && !isLocked(lock), 'what a daemon leaves that was killed');
    const two = await newPod(site, 'two');
    const calls = Promise.all([
      site.runtime.check(NETWORK, one.attachment),
      site.runtime.add(NETWORK, two.attachment, { delOnFailure: false }),
    ]);
    await startAt(site);
    await calls;
    await site.runtime.del(NETWORK, one.attachment);
    await site.runtime.del(NETWORK, two.attachment);
  },
);

test('of two daemons that start at once on one socket one gives way', { skip: NEEDS_ROOT }, async (t) => {
  const site = await emptySite(t);
  // A namespace and a state folder of its own: only the socket is shared.
  const other = { ...(await emptySite(t)), socket: site.socket };
  const outcomes = await Promise.allSettled([startAt(site), startAt(other)]);
  const started = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  // Who answers at the socket answers for both: the other one may not have ended yet.
  const running = (): number => started.filter(({ ended }) => ended() === undefined).length;
  await waitFor('one of them to give way', () => running() <= 1);
  assert.equal(running(), 1);
  assert.equal(`${logText(site)}${logText(other)}`.match(/another daemon answers there/g)?.length, 1);
});
