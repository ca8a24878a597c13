import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { ping } from '../../src/lab/ping.ts';
import { POD_PORT, WEB_PORT, WEB_SERVICE } from '../story/support/names.ts';
import { NODE_ADDRESS, useStage } from '../story/support/stage.ts';
import { type Pods, whileStreaming } from '../story/support/streams.ts';
import { ask, askInVain } from '../story/support/talk.ts';
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

  /** Rules as their programs set them, with the LAN in their table: what the doctor calls an error of the LAN. */
  const RULES_OF_OTHERS = [
    ['Tailscale with an accepted route to the LAN', '5270', '192.168.2.0/24 dev vpn0 table 52', 'lookup 52'],
    ['wg-quick for everything', '32765', 'default dev vpn0 table 51820', 'not fwmark 51820 lookup 51820'],
    ['a rule by source', '1000', '192.168.2.0/24 dev eth0 table 100', `from ${NODE_ADDRESS} lookup 100`],
  ] as const;

  test('policy rules of others: node and pods, and pods and their services, reach each other', async (t) => {
    const { namespace } = stage().node;
    const { web, client } = pods();
    const whole = await hostSide(namespace);
    t.after(() => namespace.ip('link', 'del', 'vpn0'));
    await namespace.ip('link', 'add', 'vpn0', 'type', 'veth', 'peer', 'name', 'far');
    await namespace.ip('link', 'set', 'vpn0', 'up');
    for (const [what, pref, route, rule] of RULES_OF_OTHERS) {
      await namespace.ip('route', 'add', ...route.split(' '));
      await namespace.ip('rule', 'add', 'pref', pref, ...rule.split(' '));
      const toPod = await ask(namespace, { to: web.address, port: POD_PORT });
      assert.equal(toPod, `web ${NODE_ADDRESS}`, what);
      assert.ok(await ping(client.namespace, ipv4(NODE_ADDRESS)), what);
      const toService = await ask(client.namespace, { to: WEB_SERVICE, port: WEB_PORT });
      assert.equal(toService, `web ${client.address}`, what);
      await namespace.ip('rule', 'del', 'pref', pref);
    }
    assert.equal(await hostSide(namespace), whole);
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
