import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { kubeProxy } from './support/kube-proxy.ts';
import { API_PORT, POD_PORT, UNKNOWN_SERVICE, WEB_PORT, WEB_SERVICE } from './support/names.ts';
import { LEASEHOLD } from './support/networks.ts';
import { useStage, type StagePod } from './support/stage.ts';
import { ask, Sender } from './support/talk.ts';
import { hostSide, timeUntil } from './support/view.ts';

const FLUSH = ['nft', 'flush', 'ruleset'];
const FLUSHES = 5;
/** 5 ms each: much longer than a repair takes. */
const MANY = 100;
const SOME = 10;
/** Whatever of ours is on the node. */
const NO_RULES = ['sh', '-c', 'while ip rule del protocol 76 2>&-; do :; done; ip rule show'];

describe('step 6: all rules of the node are flushed while a pod asks services', { skip: NEEDS_ROOT }, () => {
  const stage = useStage();
  let pods: { readonly web: StagePod; readonly client: StagePod } | undefined;
  let sender: Sender | undefined;

  async function setServices(): Promise<void> {
    assert.ok(pods !== undefined);
    const endpoints = [{ address: pods.web.address, port: POD_PORT }];
    const web = { name: 'web', address: WEB_SERVICE, port: WEB_PORT, endpoints };
    const services = [web, { ...web, name: 'web-udp', protocol: 'udp' as const }];
    await kubeProxy(stage().node.namespace, { services }, 'iptables');
  }

  function sending(): Sender {
    assert.ok(sender !== undefined);
    return sender;
  }

  before(async () => {
    const { node, lan } = stage();
    const web = await node.add(LEASEHOLD, { serving: { name: 'web', port: POD_PORT } });
    pods = { web, client: await node.add(LEASEHOLD) };
    await setServices();
    const targets = [
      { to: UNKNOWN_SERVICE, port: API_PORT },
      { to: WEB_SERVICE, port: WEB_PORT },
    ];
    sender = await Sender.start(pods.client.namespace, targets, lan);
    await sender.sends(SOME);
  });

  test('flush: again and again, and not one packet leaves before the rules are back', async (t) => {
    const { node, other } = stage();
    const whole = await hostSide(node.namespace);
    assert.match(whole, /iif lh0 prohibit/);
    const seen = await other.seen();
    const times: number[] = [];
    for (let count = 0; count < FLUSHES; count++) {
      await node.namespace.run(FLUSH);
      times.push(
        await timeUntil('our tables to be back', async () => {
          return (await hostSide(node.namespace)).includes('table netdev leasehold');
        }),
      );
      await sending().sends(SOME);
      await setServices();
      await sending().sends(SOME);
    }
    assert.deepEqual(await other.seen(), seen);
    assert.ok(pods !== undefined);
    assert.match((await ask(pods.client.namespace, { to: WEB_SERVICE, port: WEB_PORT })) ?? '', /^web /);
    t.diagnostic(`tables are back after ${times.join(', ')} ms`);
  });

  test('flush: nothing leaves as long as nobody repairs anything', async () => {
    const { node, other } = stage();
    await node.stopDaemon();
    const seen = await other.seen();
    await node.namespace.run(FLUSH);
    await sending().sends(MANY);
    assert.deepEqual(await other.seen(), seen);
  });

  test('flush: without the policy rules the other cluster hears of it', async () => {
    const { node, other } = stage();
    const seen = await other.seen();
    assert.doesNotMatch(await node.namespace.run(NO_RULES), /prohibit/);
    await sending().sends(MANY);
    const { visits, leaks } = await other.seen();
    assert.ok(visits > seen.visits && leaks > seen.leaks);
  });

  test('flush: a daemon that finds it so puts all of it back, also while somebody removes the rules', async () => {
    const { node, other } = stage();
    await node.startDaemon();
    await timeUntil('all to be back', async () => {
      const now = await hostSide(node.namespace);
      return now.includes('table netdev leasehold') && now.includes('prohibit');
    });
    await setServices();
    await sending().sends(SOME);
    const seen = await other.seen();
    await node.namespace.run(NO_RULES);
    await timeUntil('the rules to be back', async () =>
      (await hostSide(node.namespace)).includes('prohibit'),
    );
    await sending().sends(SOME);
    assert.deepEqual(await other.seen(), seen, 'nftables were there');
  });
});
