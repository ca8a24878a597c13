import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { useStage } from '../story/support/stage.ts';
import { type Pods, whileStreaming } from '../story/support/streams.ts';
import { LEASEHOLD } from '../story/support/networks.ts';
import { hostSide } from '../story/support/view.ts';
import { Networkd } from './support/networkd.ts';
import {
  addPods,
  addressesOnShim,
  assertReaches,
  fights,
  LONGEST_GAP_WITHOUT_UPLINK_MS,
  otherRoutes,
  untilFollowed,
  untilWhole,
  uplinkOf,
} from './support/managed.ts';

const UPLINK_ONLY = '[Match]\nName=eth0\n\n[Network]\nDHCP=yes\n';
const EVERYTHING = '[Match]\nName=*\n\n[Network]\nDHCP=yes\n';
const REMEDY = '[Match]\nName=lh*\n\n[Link]\nUnmanaged=yes\n';

describe('systemd-networkd', { skip: NEEDS_ROOT }, () => {
  const stage = useStage({ node: 'none' });
  let made: { readonly pods: Pods; readonly networkd: Networkd } | undefined;
  const all = () => made ?? assert.fail('pods are there while tests run');

  // A describe of its own: its systemd is to end before the stage does.
  describe('on the uplink', () => {
    before(async () => {
      const networkd = await Networkd.start(stage(), { '20-uplink.network': UPLINK_ONLY });
      made = { networkd, pods: await addPods(stage()) };
    });
    after(async () => await made?.networkd[Symbol.asyncDispose]());

    for (const [what, ...command] of [
      ['reads its files again', 'networkctl', 'reload'],
      ['asks for its lease again', 'networkctl', 'renew', 'eth0'],
      ['configures the uplink again', 'networkctl', 'reconfigure', 'eth0'],
      ['is started again', 'systemctl', 'restart', 'systemd-networkd'],
    ] as const) {
      test(`it ${what}`, async (t) => {
        const { pods, networkd } = all();
        const [untouched, whole] = [await uplinkOf(stage()), await hostSide(stage().node.namespace)];
        const gaps = await whileStreaming(stage(), pods, LONGEST_GAP_WITHOUT_UPLINK_MS, async () => {
          await networkd.must(...command);
          await networkd.untilAddress();
          t.diagnostic(`whole after ${await untilWhole(stage(), whole)} ms`);
        });
        t.diagnostic(gaps);
        await assertReaches(stage(), pods);
        assert.equal(await uplinkOf(stage()), untouched);
        assert.deepEqual(await fights(stage()), []);
      });
    }

    test('a careless file makes it manage the shim', async (t) => {
      const { pods, networkd } = all();
      const gaps = await whileStreaming(stage(), pods, LONGEST_GAP_WITHOUT_UPLINK_MS, async () => {
        await networkd.write({ '10-everything.network': EVERYTHING });
        await networkd.must('networkctl', 'reload');
        await networkd.must('systemctl', 'restart', 'systemd-networkd');
        await networkd.untilAddress();
        await untilFollowed(stage(), pods);
        await assertReaches(stage(), pods);
      });
      t.diagnostic(gaps);
      t.diagnostic(`on the shim: ${(await addressesOnShim(stage())).join(' ')}`);
      assert.equal((await addressesOnShim(stage())).length, 2, 'ours and that of networkd');
      assert.match((await otherRoutes(stage())).join('\n'), /^default via \S+ dev lh0 /m);
      // A default route leads by the shim now: the uplink of a new pod is still what is below it.
      const late = await stage().node.add(LEASEHOLD);
      await assertReaches(stage(), { web: pods.web, client: late });
      assert.doesNotMatch(await stage().node.namespace.ip('-br', 'link'), /^lh1/m);
      await stage().node.del(late);
      assert.deepEqual(await fights(stage()), []);
    });

    test('with the remedy it leaves the shim alone', async (t) => {
      const { pods, networkd } = all();
      const gaps = await whileStreaming(stage(), pods, LONGEST_GAP_WITHOUT_UPLINK_MS, async () => {
        await networkd.write({ '05-leasehold.network': REMEDY });
        await networkd.must('systemctl', 'restart', 'systemd-networkd');
        await networkd.untilAddress();
        assert.match(await networkd.must('networkctl', 'list', '--no-legend', 'lh0'), /unmanaged/);
        // What it gave the shim it leaves there. With the shim it goes, and the daemon makes that anew.
        await stage().node.namespace.ip('link', 'del', 'lh0');
        t.diagnostic(`made anew after ${await untilFollowed(stage(), pods)} ms`);
      });
      t.diagnostic(gaps);
      await assertReaches(stage(), pods);
      assert.equal((await addressesOnShim(stage())).length, 1);
      assert.deepEqual(await otherRoutes(stage()), []);
      assert.deepEqual(await fights(stage()), []);
    });
  });
});
