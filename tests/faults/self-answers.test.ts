import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { waitUntilReady } from '../../src/lab/long-process.ts';
import { addressesOf } from '../plugins/support/kernel-view.ts';
import { startScripted } from '../plugins/support/scripted.ts';
import { addressIn, macvlan, networkOf, ROUTER, useSite } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addPod, asking, leaseView, siteFor, untilCounted } from './support/fault-site.ts';

const SCRIPT = join(import.meta.dirname, 'support/self-answerer.ts');
const WANTED = '192.168.2.240';

describe('what a pod says to itself', { skip: NEEDS_ROOT, concurrency: 8 }, () => {
  const site = useSite({ server: { kind: 'none' } });

  test('self-answers: a pod that answers its own renewals hears none of them, and keeps its lease', async () => {
    await startScripted(site());
    // The server takes its time, so that whoever hears the renewal is first.
    const { pod, ...attached } = await addPod(site(), asking('lease-6.late-ack-300'));
    const { namespace } = pod;
    await namespace.ip('link', 'add', 'link', 'eth0', 'name', 'nested0', 'type', 'macvlan', 'mode', 'bridge');
    // Else it would answer ARP for the pod's address, a conflict.
    await namespace.ip('link', 'set', 'nested0', 'arp', 'off', 'up');
    const routerMac =
      (await site().lan.router.run(['ip', '-br', 'link', 'show', 'br0'])).split(/\s+/)[2] ?? '';
    const logFile = join(site().lan.folder, 'self-answerer.log');
    const command = [process.execPath, SCRIPT, WANTED, ROUTER, routerMac];
    const started = await namespace.start(command, { name: 'self-answerer', logFile }, site().lan.resources);
    const said = async (): Promise<string> => await readFile(logFile, 'utf8');
    await waitUntilReady(started, async () => (await said()).includes('ready'));
    await untilCounted(site(), 'lease-extended', 2);
    assert.equal(await said(), 'ready\n');
    assert.deepEqual(await addressesOf(namespace), [`${addressIn(attached.result)}/24`]);
    assert.equal((await leaseView(site(), { pod, ...attached }))?.['state'], 'bound');
  });

  test('server-beside: a DHCP server in a pod of the same node serves the other pods, by broadcasts too', async (t) => {
    const home = await siteFor(t, { server: { kind: 'none' } });
    const ipam = { type: 'static', addresses: [{ address: '192.168.2.60/24' }] };
    const chained = { type: 'leasehold', chained: true };
    const server = await home.add(networkOf([{ ...macvlan(), ipam }, chained]), { label: 'pi-hole' });
    const { folder, resources } = home.lan;
    const config = join(folder, 'beside.conf');
    const lines = ['keep-in-foreground', 'user=root', 'pid-file=', 'log-facility=-', 'log-dhcp', 'port=0'];
    const range = 'dhcp-range=192.168.2.100,192.168.2.120,255.255.255.0,120';
    // Renewals after seconds; dnsmasq leases for two minutes at least.
    const more = [
      'interface=eth0',
      range,
      'dhcp-option=option:T1,3',
      'dhcp-option=option:T2,100',
      'no-ping',
      'dhcp-authoritative',
    ];
    const leases = `dhcp-leasefile=${join(folder, 'beside.leases')}`;
    await writeFile(config, [...lines, ...more, leases, ''].join('\n'));
    const logFile = join(folder, 'beside.log');
    const started = await server.pod.namespace.start(
      ['dnsmasq', `--conf-file=${config}`],
      { name: 'dnsmasq beside', logFile },
      resources,
    );
    await waitUntilReady(started, async () => (await readFile(logFile, 'utf8')).includes('DHCP, IP range'));
    const pods = [await addPod(home), await addPod(home, { broadcast: 'always' })];
    for (const { result } of pods) assert.match(addressIn(result), /^192\.168\.2\.1[0-2]\d$/);
    await untilCounted(home, 'lease-extended', 4);
    assert.equal(await home.counter('lease-withdrawn'), 0);
  });
});
