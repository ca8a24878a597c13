import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { ipv4 } from '../src/base/ipv4.ts';
import { mac } from '../src/base/mac.ts';
import { ping } from '../src/lab/ping.ts';
import { waitFor } from '../src/lab/wait.ts';
import { NEEDS_ROOT } from '../tests/support/home-lan.ts';
import { copyGoPlugins } from './support/cri/go-node.ts';
import { IMAGE, PAUSE_IMAGE } from './support/podman/podman.ts';
import { type PodmanSite, usePodmanSite } from './support/podman/podman-site.ts';

const ROUTER = '192.168.2.1';
const STABLE_CONFLIST = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'stable',
  plugins: [{ type: 'leasehold', identity: 'pod', dhcp: { hostname: '{pod}' } }],
});
const HOME_CONFLIST = '{ "cniVersion": "1.0.0", "name": "home", "plugins": [{ "type": "leasehold" }] }';

/** What podman writes by itself for a network of macvlan: nothing in it is ours. */
const WRITTEN_BY_PODMAN = {
  cniVersion: '0.4.0',
  name: 'lan',
  plugins: [{ type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } }],
};

/** Debian's order: the Go plugins, as its package has them, and ours in the folder that podman searches first. */
async function besideGoPlugins(site: PodmanSite): Promise<void> {
  const { machine, podman } = site;
  await copyGoPlugins(machine.path('/usr/lib/cni'));
  const { status, stdout, stderr } = await site.install(
    '/usr/local/libexec/cni',
    '--drop-in',
    '--no-conflist',
  );
  assert.equal(status, 0, `${stdout}${stderr}`);
  await site.startDaemon();
  await podman.run('network', 'create', '--driver', 'macvlan', '--opt', 'parent=eth0', 'lan');
  await writeFile(machine.path('/etc/cni/net.d/05-leasehold.conflist'), HOME_CONFLIST);
}

/** No other plugin, and the network that install makes. */
async function alone(site: PodmanSite): Promise<void> {
  const { status, stdout, stderr } = await site.install('/usr/lib/cni', '--drop-in');
  assert.equal(status, 0, `${stdout}${stderr}`);
  await site.startDaemon();
}

describe(
  'podman network create -d macvlan, with our plugins before those of Debian',
  { skip: NEEDS_ROOT },
  () => {
    const site = usePodmanSite(besideGoPlugins);

    test('plugins that are there are not written over unless it is said', async () => {
      const { status, stderr } = await site().install('/usr/lib/cni', '--drop-in', '--no-conflist');
      assert.equal(status, 1);
      assert.match(stderr, /\/usr\/lib\/cni\/dhcp is a file that install did not make/);
    });

    test('podman writes a list of macvlan and dhcp, and says so', async () => {
      const { podman, machine } = site();
      assert.equal(await podman.run('info', '--format', '{{.Host.NetworkBackend}}'), 'cni');
      const written = await readFile(machine.path('/etc/cni/net.d/lan.conflist'), 'utf8');
      assert.deepEqual(JSON.parse(written), WRITTEN_BY_PODMAN);
      const [shown] = (await podman.json('network', 'inspect', 'lan')) as readonly Record<string, unknown>[];
      assert.equal(shown?.['driver'], 'macvlan');
      assert.equal(shown['network_interface'], 'eth0');
      assert.deepEqual(shown['ipam_options'], { driver: 'dhcp' });
    });

    test('run: the address is the lease of the server, and the laptop reaches it', async () => {
      const { podman, laptop, machine } = site();
      await podman.serve('web', '--network', 'lan', '--hostname', 'web');
      const shown = await podman.networkOf('web', 'lan');
      assert.equal((await site().leaseOf(shown.mac))?.ip, shown.address);
      assert.deepEqual([shown.prefix, shown.gateway], [24, ROUTER]);
      assert.deepEqual(await site().daemonAddresses(), [shown.address]);
      assert.ok(await ping(laptop, shown.address, { tries: 3 }));
      assert.equal(await site().ask(laptop, shown.address), `web ${await site().lan.laptop.address()}`);
      assert.match(
        await podman.run('ps', '--format', '{{.Names}} {{.Status}} {{.Networks}}'),
        /^web Up .* lan$/,
      );
      assert.match(await machine.run('leasehold', 'leases'), new RegExp(`lan +eth0 +${shown.address} `));
    });

    test('exec: routes and name server are those of the lease', async () => {
      const { podman } = site();
      const { address } = await podman.networkOf('web', 'lan');
      const routes = await podman.run('exec', 'web', 'ip', 'route');
      assert.match(routes, new RegExp(`^default via ${ROUTER} dev eth0`, 'm'));
      assert.match(routes, new RegExp(`^192.168.2.0/24 dev eth0 scope link +src ${address}`, 'm'));
      assert.match(
        await podman.run('exec', 'web', 'cat', '/etc/resolv.conf'),
        new RegExp(`^nameserver ${ROUTER}$`, 'm'),
      );
      assert.match(
        await podman.run('exec', 'web', 'nslookup', 'router.home.arpa'),
        new RegExp(`Address: ${ROUTER}`),
      );
    });

    test('restart, stop and start: a lease while it runs, and none while it does not', async () => {
      const { podman, laptop } = site();
      await podman.run('restart', '--time', '0', 'web');
      const restarted = await podman.addressOf('web', 'lan');
      await site().waitForLeases([restarted]);
      assert.ok((await site().ask(laptop, restarted)).startsWith('web '));
      await podman.run('stop', '--time', '0', 'web');
      await site().waitForLeases([]);
      assert.deepEqual(await site().daemonAddresses(), []);
      await podman.run('start', 'web');
      const started = await podman.addressOf('web', 'lan');
      await site().waitForLeases([started]);
      assert.ok((await site().ask(laptop, started)).startsWith('web '));
    });

    test('network reload: taken off and put on again, with the address and the MAC address that it had', async () => {
      const { podman, laptop } = site();
      const before = await podman.networkOf('web', 'lan');
      await podman.run('network', 'reload', 'web');
      assert.deepEqual(await podman.networkOf('web', 'lan'), before);
      await site().waitForLeases([before.address]);
      assert.ok((await site().ask(laptop, before.address)).startsWith('web '));
    });

    test('kill, and an end by itself: podman cleans up, the lease is given back', async () => {
      const { podman } = site();
      await podman.run('kill', 'web');
      await site().waitForLeases([]);
      assert.equal(await podman.statusOf('web'), 'exited');
      await podman.remove('web');
      await podman.run('run', '--rm', '--network', 'lan', '--entrypoint', '/bin/sleep', IMAGE, '0');
      await site().waitForLeases([]);
      assert.equal(await podman.run('ps', '--all', '--quiet'), '');
    });

    test('--mac-address is the MAC address, --ip what the server is asked for', async () => {
      const { podman, laptop } = site();
      const wanted = mac('02:00:5e:10:00:01');
      await podman.serve('fixed', '--network', 'lan', '--mac-address', wanted, '--ip', '192.168.2.99');
      assert.deepEqual(await podman.networkOf('fixed', 'lan'), {
        address: ipv4('192.168.2.99'),
        prefix: 24,
        gateway: ROUTER,
        mac: wanted,
      });
      assert.equal((await site().leaseOf(wanted))?.ip, '192.168.2.99');
      assert.ok(await ping(laptop, ipv4('192.168.2.99'), { tries: 3 }));
      await podman.remove('fixed');
      await site().waitForLeases([]);
    });

    test('without a parent it is the interface with the default route', async () => {
      const { podman, laptop } = site();
      await podman.run('network', 'create', '--driver', 'macvlan', 'anywhere');
      await podman.serve('web', '--network', 'anywhere');
      const address = await podman.addressOf('web', 'anywhere');
      await site().waitForLeases([address]);
      assert.ok(await ping(laptop, address, { tries: 3 }));
      await podman.remove('web');
      await site().waitForLeases([]);
    });

    test('with a subnet podman counts addresses itself, by the plugin host-local of others', async () => {
      const { podman, laptop } = site();
      const subnet = ['--subnet', '192.168.2.0/24', '--gateway', ROUTER, '--ip-range', '192.168.2.32/28'];
      await podman.run(
        'network',
        'create',
        '--driver',
        'macvlan',
        '--opt',
        'parent=eth0',
        ...subnet,
        'counted',
      );
      await podman.serve('web', '--network', 'counted', '--ip', '192.168.2.40');
      assert.equal(await podman.addressOf('web', 'counted'), '192.168.2.40');
      assert.ok(await ping(laptop, ipv4('192.168.2.40'), { tries: 3 }));
      assert.deepEqual(await site().containerLeases(), []);
      await podman.remove('web');
    });

    test('eight at once', async () => {
      const { podman } = site();
      const names = Array.from({ length: 8 }, (_, at) => `many-${at}`);
      await Promise.all(names.map(async (name) => await podman.serve(name, '--network', 'lan')));
      await site().waitForLeases(
        await Promise.all(names.map(async (name) => await podman.addressOf(name, 'lan'))),
      );
      await podman.remove(...names);
      await site().waitForLeases([]);
    });

    test('a network more, and one less, while it runs', async () => {
      const { podman, laptop } = site();
      await podman.serve('both', '--network', 'lan');
      await podman.run('network', 'connect', 'home', 'both');
      const [lan, home] = [await podman.addressOf('both', 'lan'), await podman.addressOf('both', 'home')];
      await site().waitForLeases([lan, home]);
      await podman.run('network', 'disconnect', 'lan', 'both');
      await site().waitForLeases([home]);
      assert.ok(await site().ask(laptop, home));
      await podman.remove('both');
      await site().waitForLeases([]);
    });

    test('removed while the daemon is down: given back when it is there again', async () => {
      const { podman } = site();
      await podman.serve('late', '--network', 'lan');
      const address = await podman.addressOf('late', 'lan');
      await site().stopDaemon('KILL');
      await podman.remove('late');
      assert.equal(await podman.run('ps', '--all', '--quiet'), '');
      assert.deepEqual(await site().containerLeases(), [address]);
      await site().startDaemon();
      await site().waitForLeases([]);
      assert.deepEqual(await site().daemonAddresses(), []);
    });

    test('conmon killed together with its container: nobody calls DEL until podman rm', async () => {
      const { podman, machine } = site();
      await podman.serve('orphan', '--network', 'lan');
      const address = await podman.addressOf('orphan', 'lan');
      const conmon = await machine.run(
        'cat',
        await podman.run('inspect', 'orphan', '--format', '{{.ConmonPidFile}}'),
      );
      const pid = await podman.run('inspect', 'orphan', '--format', '{{.State.Pid}}');
      await machine.run('kill', '-KILL', conmon.trim(), pid);
      await waitFor('both to end', async () => (await machine.runToEnd(['kill', '-0', pid])).status !== 0);
      assert.deepEqual(await site().containerLeases(), [address]);
      await podman.remove('orphan');
      await site().waitForLeases([]);
    });
  },
);

describe('the network of leasehold install, {"type": "leasehold"}', { skip: NEEDS_ROOT }, () => {
  const site = usePodmanSite(alone);

  test('podman has it as a network, and the node reaches the container as well', async () => {
    const { podman, laptop, machine } = site();
    assert.match(await podman.run('network', 'ls', '--format', '{{.Name}} {{.Driver}}'), /^lan leasehold$/m);
    await podman.serve('web', '--network', 'lan', '--hostname', 'web');
    const { address, mac: containerMac } = await podman.networkOf('web', 'lan');
    const shown = ['--format', '{{.NetworkSettings.Networks.lan.IPAddress}}'] as const;
    assert.equal(await podman.run('inspect', 'web', ...shown), address);
    assert.equal((await site().leaseOf(containerMac))?.ip, address);
    const node = machine.host.namespace;
    assert.equal(await site().ask(laptop, address), `web ${await site().lan.laptop.address()}`);
    const nodeAddress = await site().lan.node.address();
    assert.equal(await site().ask(node, address), `web ${nodeAddress}`);
    await podman.run('exec', '--privileged', 'web', 'ping', '-c', '1', '-W', '3', nodeAddress);
    await podman.remove('web');
    await site().waitForLeases([]);
  });

  test('a pod of two containers has one address, and is one machine to them', async () => {
    const { podman, laptop } = site();
    const infra = ['--infra-image', PAUSE_IMAGE, '--infra-command', '/pause'];
    await podman.run('pod', 'create', '--name', 'pair', '--network', 'lan', ...infra);
    await podman.serve('first', '--pod', 'pair');
    const [address, ...others] = await site().containerLeases();
    assert.ok(address !== undefined);
    assert.deepEqual(others, []);
    await podman.run(
      'run',
      '--detach',
      '--name',
      'second',
      '--pod',
      'pair',
      '--stop-signal',
      'KILL',
      '--entrypoint',
      '/bin/sleep',
      IMAGE,
      '3600',
    );
    for (const name of ['first', 'second']) {
      assert.match(
        await podman.run('exec', name, 'ip', '-4', 'addr', 'show', 'eth0'),
        new RegExp(` ${address}/24 `),
      );
    }
    assert.match(await podman.run('exec', 'second', 'who', 'get', 'http://127.0.0.1:8080/who'), /pair/);
    assert.ok(await site().ask(laptop, ipv4(address)));
    await podman.run('pod', 'restart', 'pair');
    await waitFor('one lease', async () => (await site().containerLeases()).length === 1);
    await podman.run('pod', 'rm', '--force', '--time', '0', 'pair');
    await site().waitForLeases([]);
  });

  test('a host that lost its power: old leases are given back, containers start anew', async () => {
    const { podman, machine, laptop } = site();
    await podman.serve('web', '--network', 'lan', '--hostname', 'web');
    await podman.run('network', 'create', '--driver', 'macvlan', '--opt', 'parent=eth0', 'plain');
    await podman.serve('gone', '--network', 'plain');
    assert.equal((await site().containerLeases()).length, 2);
    await machine.powerOff();
    await machine.powerOn();
    assert.notEqual(await podman.statusOf('web'), 'running');
    await site().startDaemon();
    await site().waitForLeases([]);
    await podman.run('start', 'web');
    const address = await podman.addressOf('web', 'lan');
    await site().waitForLeases([address]);
    assert.ok((await site().ask(laptop, address)).startsWith('web '));
    await podman.remove('web', 'gone');
    await site().waitForLeases([]);
  });

  test('with "identity": "pod" a container of the same name has its address again, also when it was made anew', async () => {
    const { podman, machine } = site();
    await writeFile(machine.path('/etc/cni/net.d/20-stable.conflist'), STABLE_CONFLIST);
    await podman.serve('web', '--network', 'stable');
    const first = await podman.networkOf('web', 'stable');
    await podman.run('restart', '--time', '0', 'web');
    assert.deepEqual(await podman.networkOf('web', 'stable'), first);
    await podman.remove('web');
    await podman.serve('other', '--network', 'stable');
    await podman.serve('web', '--network', 'stable');
    assert.deepEqual(await podman.networkOf('web', 'stable'), first);
    assert.equal((await site().leaseOf(first.mac))?.hostname, 'web');
    await podman.remove('web', 'other');
    await site().waitForLeases([]);
  });

  test('networks are removed, and leasehold uninstall leaves nothing', async () => {
    const { podman, machine } = site();
    await podman.run('network', 'rm', 'plain', 'stable');
    await site().stopDaemon();
    await machine.run('leasehold', 'uninstall');
    assert.equal(await machine.run('ls', '/usr/lib/cni'), '');
    assert.equal(await machine.run('sh', '-c', 'ls /etc/cni/net.d/*.conflist || true'), '');
    assert.doesNotMatch(await machine.host.namespace.ip('link', 'show'), /lh0/);
  });
});
