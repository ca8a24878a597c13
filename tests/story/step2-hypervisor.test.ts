import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { dropForeignSources, macOf } from '../doctor/support/faults.ts';
import { startGoDhcp } from '../plugins/support/go-plugins.ts';
import { macvlan, networkOf, useSite } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { DEBIAN_CNI_BIN } from '../support/leasehold.ts';

const LEASEHOLD = networkOf([{ type: 'leasehold' }]);
/** The Go plugin goes on for minutes; this is long enough to have asked several times. */
const PATIENCE_SECONDS = '6';

describe('step 2: what is between node and LAN drops the frames of pods', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ dhcp: { deadlineSeconds: 1 } });

  test('hypervisor: the Go plugins ask and ask, the server hears nothing, and nobody says why', async (t) => {
    const { lan, node } = site();
    await dropForeignSources(lan, lan.node);
    const { socket } = await startGoDhcp(site());
    const ended = new AbortController();
    t.after(() => ended.abort());
    const runtime = new CniRuntime({
      place: node,
      binDirs: [DEBIAN_CNI_BIN],
      env: {},
      signal: ended.signal,
    });
    const pod = await site().pod();
    const network = networkOf([macvlan({}, { daemonSocketPath: socket })]);
    const added = runtime.add(network, pod.attachment).then(
      () => 'attached',
      (error: unknown) => (error instanceof CniPluginError ? error.msg : 'ended by the test'),
    );
    const outcome = await Promise.race([added, node.run(['sleep', PATIENCE_SECONDS])]);
    assert.doesNotMatch(outcome, /attached|MAC|filter|hypervisor/i);
    assert.doesNotMatch(await site().serverLog(), /DHCPDISCOVER/);
    ended.abort();
    await added;
  });

  test('hypervisor: the error of the ADD names the cause and the switch to flip', async () => {
    const { lan } = site();
    const own = await macOf(lan.node);
    const pod = await site().pod();
    await assert.rejects(site().attach(LEASEHOLD, pod), (error: unknown) => {
      assert.ok(error instanceof CniPluginError);
      assert.equal(error.code, 120);
      assert.match(error.details, new RegExp(`^DHCP answers eth0's own MAC ${own} but no other MAC on it`));
      assert.match(
        error.details,
        /allow more than one MAC address|MAC address spoofing|promiscuous|forged transmits/i,
      );
      return true;
    });
  });

  test('hypervisor: with the switch flipped the same pod is attached', async () => {
    await site().lan.router.run(['nft', 'delete', 'table', 'bridge', 'fault']);
    const pod = await site().add(LEASEHOLD);
    await site().del(pod);
  });
});
