import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { WEB_PORT, WEB_SERVICE } from '../story/support/names.ts';
import { useStage } from '../story/support/stage.ts';
import { type Pods, whileStreaming } from '../story/support/streams.ts';
import { askInVain } from '../story/support/talk.ts';
import { hostSide, timeUntil } from '../story/support/view.ts';
import { runInsulated } from './support/insulated.ts';
import {
  addPods,
  assertReaches,
  fights,
  LONGEST_GAP_MS,
  REGAINED_MS,
  untilWhole,
  writeServices,
} from './support/managed.ts';

/** As Debian's nftables.service does: /etc/nftables.conf begins with `flush ruleset`. */
const NFTABLES_SERVICE = 'nft -f /etc/nftables.conf';

const SYSCTLS = `
echo 'net.ipv4.ip_forward = 0
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.*.rp_filter = 1
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.*.arp_filter = 0' >/etc/sysctl.d/99-hardened.conf
# Those of the machine are read-only here, and it says so.
sysctl --system >/dev/null 2>&1 || true
`;

const OWN_TABLES = 'nft -a list table inet leasehold; nft -a list table netdev leasehold';

describe('rules and sysctls that are loaded anew', { skip: NEEDS_ROOT }, () => {
  const stage = useStage();
  let made: Pods | undefined;
  const pods = (): Pods => made ?? assert.fail('pods are there while tests run');
  before(async () => {
    made = await addPods(stage());
  });

  test('nftables.service is started again: it flushes every rule of the node', async (t) => {
    const { node, other } = stage();
    const [whole, seen] = [await hostSide(node.namespace), await other.seen()];
    assert.match(await runInsulated(node.namespace, 'cat /etc/nftables.conf'), /^flush ruleset$/m);
    await runInsulated(node.namespace, NFTABLES_SERVICE);
    const ms = await timeUntil('our tables to be back', async () => {
      return (await hostSide(node.namespace)).includes('table netdev leasehold');
    });
    t.diagnostic(`back after ${ms} ms`);
    assert.ok(ms < REGAINED_MS, `${ms} ms`);
    // Nobody translates service addresses until kube-proxy looks again; meanwhile they do not leave for the LAN.
    assert.equal(await askInVain(pods().client.namespace, { to: WEB_SERVICE, port: WEB_PORT }), undefined);
    assert.deepEqual(await other.seen(), seen);
    await writeServices(stage(), pods());
    await assertReaches(stage(), pods());
    const rules = await node.namespace.run(['nft', 'list', 'tables']);
    assert.match(rules, /^table inet filter$/m, 'what the file has is there');
    assert.equal((await hostSide(node.namespace)).replace('table inet filter\n', ''), whole);
    assert.deepEqual(await fights(stage()), []);
  });

  test('iptables-restore replaces its tables, and ours are not among them', async (t) => {
    const { namespace } = stage().node;
    const own = async (): Promise<string> => {
      const text = await namespace.run(['sh', '-c', OWN_TABLES]);
      return text.replaceAll(/\b(packets|bytes) \d+/g, '');
    };
    const untouched = await own();
    const gaps = await whileStreaming(stage(), pods(), LONGEST_GAP_MS, async () => {
      // Not `-n`: all that the tables had is gone, and what stands in the file is there.
      await writeServices(stage(), pods());
      await writeServices(stage(), pods());
    });
    t.diagnostic(gaps);
    assert.equal(await own(), untouched, 'the same handles: never made anew');
    await assertReaches(stage(), pods());
  });

  test('sysctl --system with strict rp_filter and without forwarding', async (t) => {
    const { namespace } = stage().node;
    const whole = await hostSide(namespace);
    let ms = 0;
    const gaps = await whileStreaming(stage(), pods(), LONGEST_GAP_MS, async () => {
      await runInsulated(namespace, SYSCTLS);
      ms = await untilWhole(stage(), whole);
    });
    t.diagnostic(`whole after ${ms} ms; ${gaps}`);
    await assertReaches(stage(), pods());
    const set = 'cd /proc/sys/net/ipv4; cat ip_forward conf/all/rp_filter conf/eth0/rp_filter';
    assert.equal(await namespace.run(['sh', '-c', set]), '0\n1\n1\n', 'what was set for the node stays');
    assert.deepEqual(await fights(stage()), []);
  });
});
