import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { run } from '../../src/lab/process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressesOf, linkOf, linksOf } from './support/kernel-view.ts';
import { macvlan, networkOf, useSite } from './support/site.ts';

/** As many as showed the fault in one of three to seven when nothing was waited for. */
const ROUNDS = 30;
const MAC = '02:11:22:33:44:55';
const STATIC = { type: 'static', addresses: [{ address: '192.168.2.31/24' }] };

describe('the interface below', { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  async function daemonLog(): Promise<string> {
    return await readFile(site().daemon.logFile, 'utf8');
  }

  for (const name of ['averyveryverylongname0', 'lan0']) {
    test(`named by the alternative name ${name}: taken, and known by its own name`, async () => {
      const { node, daemon } = site();
      await node.ip('link', 'property', 'add', 'dev', 'eth0', 'altname', name);
      try {
        for (const plugin of [macvlan({ master: name }), { type: 'leasehold', master: name }]) {
          const network = networkOf([plugin], { cniVersion: '1.1.0' });
          await daemon.runtime.status(network);
          const added = await site().add(network);
          await daemon.runtime.check(network, added.attachment);
          const [record = ''] = await site().records();
          const text = await readFile(join(daemon.stateDir, 'leases', record), 'utf8');
          assert.match(text, /"master":"eth0"/);
          assert.ok(!text.includes(name));
          await site().del(added);
          assert.equal((await linksOf(added.pod.namespace)).size, 0);
        }
      } finally {
        await node.ip('link', 'property', 'del', 'dev', 'eth0', 'altname', name);
      }
    });
  }

  test('down: attached and said, where no address is asked for through it; with DHCP an error', async () => {
    const { node, daemon } = site();
    await node.ip('link', 'add', 'spare0', 'type', 'veth', 'peer', 'name', 'spare1');
    await node.ip('link', 'set', 'spare1', 'up');
    for (const ipam of [{}, STATIC]) {
      // Debian's `static` does not know 1.1.0, and so no STATUS.
      const cniVersion = 'type' in ipam ? '1.0.0' : '1.1.0';
      const network = networkOf([macvlan({ master: 'spare0', ipam })], { cniVersion });
      if (cniVersion === '1.1.0') await daemon.runtime.status(network);
      const added = await site().add(network);
      const { namespace } = added.pod;
      assert.ok((await linkOf(namespace)).flags.includes('UP'));
      assert.ok(!(await linkOf(namespace)).flags.includes('LOWER_UP'));
      assert.deepEqual(await addressesOf(namespace), 'type' in ipam ? ['192.168.2.31/24'] : []);
      assert.match(await daemonLog(), /"uplink":"spare0".*attached to a master that is down/);
      await daemon.runtime.check(network, added.attachment);
      await node.ip('link', 'set', 'spare0', 'up');
      await waitFor('the link to come up with its master', async () =>
        (await linkOf(namespace)).flags.includes('LOWER_UP'),
      );
      await daemon.runtime.check(network, added.attachment);
      await node.ip('link', 'set', 'spare0', 'down');
      await site().del(added);
    }
    const dhcp = networkOf([macvlan({ master: 'spare0' })], { cniVersion: '1.1.0' });
    await assert.rejects(site().add(dhcp), { code: 101, msg: /master "spare0" is down/ });
    await assert.rejects(daemon.runtime.status(dhcp), { code: 51, msg: /spare0/ });
    await node.ip('link', 'del', 'spare0');
  });

  test('a fixed MAC address is free again when the namespace of a pod went without a DEL', async () => {
    const network = networkOf([macvlan({ mac: MAC, ipam: {} })]);
    let added = await site().add(network);
    for (let round = 0; round < ROUNDS; round++) {
      const next = await site().pod();
      await run(['ip', 'netns', 'del', added.pod.namespace.name]);
      added = await site().attach(network, next);
      assert.equal((await linkOf(next.namespace)).address, MAC, `round ${round}`);
    }
    await site().del(added);
  });

  test('a MAC address that somebody keeps: the error says who', async () => {
    const { node } = site();
    const network = networkOf([macvlan({ mac: MAC })]);
    const holder = await site().add(network);
    const { containerId, netns } = holder.attachment;
    const own = '02:11:22:33:44:66';
    await node.ip('link', 'add', 'mv0', 'link', 'eth0', 'address', own, 'type', 'macvlan', 'mode', 'bridge');
    await node.ip('link', 'set', 'mv0', 'up');
    const [late, later] = [await site().pod(), await site().pod()];
    await Promise.all([
      assert.rejects(site().attach(network, late), {
        code: 106,
        msg: new RegExp(
          `${MAC} is in use on eth0 by eth0 of container ${containerId} \\(network lan, ${netns}\\)$`,
        ),
      }),
      assert.rejects(site().attach(networkOf([macvlan({ mac: own })]), later), {
        code: 106,
        msg: /is in use on eth0 by the node's own interface mv0$/,
      }),
    ]);
    for (const { namespace } of [late, later]) assert.equal((await linksOf(namespace)).size, 0);
    await node.ip('link', 'del', 'mv0');
    await site().del(holder);
  });
});
