import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import type { JsonObject } from '../../src/base/json.ts';
import { getOverSocket } from '../../src/lab/daemon.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addressIn, macvlan, networkOf, NODE_ADDRESS, ROUTER, useSite } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';

// What a pod's configuration, a DHCP server or a daemon's file says must not take the node off its LAN.

const options = { skip: NEEDS_ROOT };
const LEASEHOLD = networkOf([{ type: 'leasehold' }]);
const LAN = '192.168.2.0/24';

async function pings(from: Namespace, to: string): Promise<boolean> {
  return (await from.runToEnd(['ping', '-c', '1', '-W', '2', to])).status === 0;
}

function withServices(...services: readonly string[]): ReturnType<typeof networkOf> {
  return networkOf([{ type: 'leasehold', services }]);
}

function chained(address: string): ReturnType<typeof networkOf> {
  const ipam: JsonObject = { type: 'static', addresses: [{ address }] };
  return networkOf([
    { ...macvlan(), ipam },
    { type: 'leasehold', chained: true },
  ]);
}

describe('what a pod asks for', () => {
  const site = useSite();

  async function routes(): Promise<string> {
    return await site().node.run(['ip', 'route']);
  }

  test('services that are the LAN are refused; the node keeps its router', options, async () => {
    const before = await routes();
    for (const network of [LAN, '192.168.0.0/16', `${ROUTER}/32`]) {
      await assert.rejects(
        site().add(withServices('10.43.0.0/16', network)),
        /code 7\): services: .*(overlaps|contains)/s,
      );
    }
    await assert.rejects(site().add(withServices('128.0.0.0/1')), /code 7\): services.*128\.0\.0\.0\/1/s);
    assert.equal(await pings(site().node, ROUTER), true);
    assert.equal(await pings(site().lan.router, NODE_ADDRESS), true);
    assert.equal(await routes(), before);
    assert.deepEqual(await site().daemonLeases(), []);
  });

  test(
    'an address that is the router, the node, or of the Internet is not led to a pod',
    options,
    async () => {
      const cases = [
        [`${ROUTER}/24`, /gateway of the node's route/],
        [`${NODE_ADDRESS}/24`, /address of the node itself/],
        ['8.8.8.8/32', /in no network that the node has on eth0/],
        ['192.168.2.255/16', /no address of a host/],
      ] as const;
      const before = await routes();
      for (const [address, why] of cases) {
        const { attachment } = await site().pod();
        // As a runtime does it: else the pod would stay on the LAN with that address.
        const adding = site().daemon.runtime.add(chained(address), attachment);
        await assert.rejects(adding, (error: Error) => {
          assert.match(error.message, /code 113\)/);
          assert.match(error.message, why);
          return true;
        });
        assert.equal(await routes(), before, address);
      }
      const good = await site().add(chained('192.168.2.50/24'));
      assert.match(await routes(), /192\.168\.2\.50 dev lh0/);
      await site().del(good);
    },
  );

  test('a shim that others switch off all the time: ADDs succeed', options, async () => {
    await site().add(LEASEHOLD);
    const { node } = site();
    for (let time = 0; time < 3; time++) {
      await node.ip('link', 'set', 'lh0', 'down');
      const pod = await site().add(LEASEHOLD);
      await waitFor('the pod to be reached', () => pings(node, addressIn(pod.result)));
      await site().del(pod);
    }
  });
});

describe('what others made', () => {
  const only = ipv4('192.168.2.130');
  const site = useSite({ pool: { first: only, last: only } });

  test(
    'a route to a leased address stays and the pod is refused; a permanent neighbour stays',
    options,
    async () => {
      const { node } = site();
      const permanent = [only, 'lladdr', '02:00:00:00:00:77', 'nud', 'permanent', 'dev', 'eth0'];
      await node.ip('neigh', 'add', ...permanent);
      await node.ip('link', 'add', 'vpn0', 'type', 'veth', 'peer', 'name', 'vpn1');
      await node.ip('link', 'set', 'vpn1', 'up');
      await node.ip('link', 'set', 'vpn0', 'up');
      await node.ip('route', 'add', `${only}/32`, 'dev', 'vpn0', 'proto', 'static');
      await assert.rejects(site().add(LEASEHOLD), /code 112\).*192\.168\.2\.130 has a route/s);
      assert.match(await node.run(['ip', 'route']), /192\.168\.2\.130 dev vpn0 proto static/);
      await node.ip('route', 'del', `${only}/32`, 'dev', 'vpn0');
      const pod = await site().add(LEASEHOLD);
      assert.equal(await pings(node, only), true);
      assert.match(await node.run(['ip', 'neigh', 'show', 'dev', 'eth0']), /02:00:00:00:00:77 PERMANENT/);
      await site().del(pod);
      assert.match(await node.run(['ip', 'neigh', 'show', 'dev', 'eth0']), /02:00:00:00:00:77 PERMANENT/);
    },
  );
});

describe("the daemon's networks of services", () => {
  const site = useSite({ config: { services: ['10.43.0.0/16', LAN] } });

  type View = {
    readonly services: readonly string[];
    readonly servicesLeftOut: readonly { readonly network: string; readonly problem: string }[];
  };

  async function view(): Promise<View> {
    const answer = await getOverSocket(site().daemon.socket, '/v1/host');
    return JSON.parse(answer?.body ?? '{}') as View;
  }

  test('one that is the LAN is left out, from start and reload, and it is said', options, async () => {
    const { node, daemon, lan } = site();
    const pod = await site().add(LEASEHOLD);
    assert.equal(await pings(node, ROUTER), true);
    assert.equal(await pings(node, addressIn(pod.result)), true);
    assert.equal(await pings(pod.pod.namespace, ROUTER), true);
    assert.deepEqual((await view()).services, ['10.43.0.0/16']);
    assert.deepEqual(
      (await view()).servicesLeftOut.map(({ network }) => network),
      [LAN],
    );
    assert.match((await view()).servicesLeftOut[0]?.problem ?? '', /192\.168\.2\.0\/24, the network of eth0/);
    const file = join(lan.folder, 'daemon.json');
    await writeFile(file, JSON.stringify({ services: ['10.96.0.0/12', '192.168.0.0/16'] }));
    process.kill(daemon.process().pid, 'SIGHUP');
    await waitFor('the reload', async () => (await view()).services.includes('10.96.0.0/12'));
    assert.deepEqual((await view()).services, ['10.96.0.0/12']);
    assert.equal(await pings(node, ROUTER), true);
    const log = await readFile(daemon.logFile, 'utf8');
    assert.equal(log.split('not in use while they overlap').length - 1, 2);
    await daemon.restart();
    assert.deepEqual((await view()).services, ['10.96.0.0/12']);
    assert.equal(await pings(node, ROUTER), true);
  });
});

describe('an uplink on which the node has no network', () => {
  const site = useSite();

  test(
    'a DHCP server or a file that says 8.8.8.8, or an address elsewhere, takes nothing from the node',
    options,
    async () => {
      const { node, daemon, lan } = site();
      await node.ip('addr', 'flush', 'dev', 'eth0');
      await node.ip('link', 'add', 'mgmt0', 'type', 'veth', 'peer', 'name', 'mgmt1');
      await node.ip('addr', 'add', '10.9.0.1/24', 'dev', 'mgmt0');
      for (const name of ['mgmt1', 'mgmt0']) await node.ip('link', 'set', name, 'up');
      const routes = async (): Promise<string> => await node.ip('route', 'show', 'dev', 'lh0');
      const refused = async (network: ReturnType<typeof networkOf>, why: RegExp): Promise<void> => {
        const { attachment } = await site().pod();
        await assert.rejects(daemon.runtime.add(network, attachment), why);
        const shim = await node.runToEnd(['ip', 'route', 'show', 'dev', 'lh0']);
        assert.equal(shim.stdout, '');
      };
      const says = /no IPv4 network on eth0 .*"lan": \["192\.168\.2\.0\/24"\].*"hostAccess"/s;
      await daemon.restart();
      const leasehold = networkOf([{ type: 'leasehold', master: 'eth0' }]);
      await refused(leasehold, says);
      assert.deepEqual(await site().daemonLeases(), []);
      for (const address of ['8.8.8.8/32', '10.9.0.2/24']) await refused(chained(address), says);
      await site().add(
        networkOf([{ type: 'leasehold', master: 'eth0', hostAccess: false, services: 'off' }]),
      );

      await writeFile(join(lan.folder, 'daemon.json'), JSON.stringify({ lan: [LAN, '10.0.0.0/8'] }));
      process.kill(daemon.process().pid, 'SIGHUP');
      await waitFor('the reload', async () =>
        (await readFile(daemon.logFile, 'utf8')).includes('are read again'),
      );
      const pod = await site().add(leasehold);
      assert.match(await routes(), new RegExp(`^${addressIn(pod.result)} `));
      await site().del(pod);
      await refused(chained('8.8.8.8/32'), /in no network of the LAN at eth0/);
      await refused(chained('10.9.0.2/24'), /in 10\.9\.0\.0\/24, which the node has elsewhere/);
    },
  );
});

describe('a node that was no router', () => {
  const site = useSite();
  const STORAGE = '10.9.0.2';

  test(
    'neither the LAN nor pods reach its other networks by it, until it is made a router',
    options,
    async () => {
      const { node, lan } = site();
      const storage = await site().pod({ label: 'storage' });
      const { namespace } = storage;
      await node.ip('link', 'add', 'st0', 'type', 'veth', 'peer', 'name', 'st1', 'netns', namespace.name);
      await node.ip('addr', 'add', '10.9.0.1/24', 'dev', 'st0');
      await node.ip('link', 'set', 'st0', 'up');
      await namespace.ip('addr', 'add', `${STORAGE}/24`, 'dev', 'st1');
      await namespace.ip('link', 'set', 'st1', 'up');
      await namespace.ip('route', 'add', 'default', 'via', '10.9.0.1');
      await lan.router.ip('route', 'add', '10.9.0.0/24', 'via', NODE_ADDRESS);
      await node.run(['sysctl', '-qw', 'net.ipv4.ip_forward=0', 'net.ipv4.conf.st0.forwarding=1']);
      const pod = await site().add(LEASEHOLD);
      await pod.pod.namespace.ip('route', 'add', '10.9.0.0/24', 'via', NODE_ADDRESS);
      assert.equal(await pings(node, STORAGE), true);
      assert.equal(await pings(lan.router, STORAGE), false);
      assert.equal(await pings(pod.pod.namespace, STORAGE), false);
      // What the other network begins is answered, as before.
      assert.equal(await pings(namespace, addressIn(pod.result)), true);
      await node.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
      await waitFor('the node to be a router', () => pings(lan.router, STORAGE));
    },
  );
});
