import assert from 'node:assert/strict';
import { chownSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { createPod, type Pod } from '../../src/lab/pods.ts';
import { unitText } from '../../src/install/unit.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { homeLan, NEEDS_ROOT } from '../support/home-lan.ts';
import { DEBIAN_CNI_BIN, ROOT } from '../support/leasehold.ts';
import { addressIn, macvlan, networkOf } from '../plugins/support/site.ts';
import { snapshot } from './support/snapshot.ts';
import { SystemdHost } from './support/systemd-host.ts';

const CHANGED_BY_INSTALL = [
  '/etc',
  '/opt',
  '/usr/local/bin',
  '/usr/local/lib/leasehold',
  '/var/lib',
  '/var/cache',
  '/run/leasehold',
];
const STATE = '/var/lib/leasehold';
const INSTALL = [join(ROOT, 'bin/leasehold'), 'install', '--drop-in', '--replace'];
/** linux/capability.h: NET_BIND_SERVICE, NET_BROADCAST, NET_ADMIN, NET_RAW, SYS_PTRACE, SYS_ADMIN. */
const CAPABILITIES = [10, 11, 12, 13, 19, 21];

/** A host as k3s and the Go plugins leave it: a plugin of somebody else, and names that are links to one big program. */
function fillHost(host: SystemdHost): void {
  mkdirSync(host.path('/opt/cni/bin'), { recursive: true });
  const go = host.path('/opt/cni/bin/dhcp');
  writeFileSync(go, 'the Go plugin', { mode: 0o750 });
  chownSync(go, 1000, 1000);
  utimesSync(go, 1_600_000_000, 1_600_000_000);
  writeFileSync(host.path('/opt/cni/bin/cni'), 'many plugins in one', { mode: 0o755 });
  symlinkSync('cni', host.path('/opt/cni/bin/macvlan'));
}

/** A process of another user in the pod's namespace; its number as the host counts. */
async function processIn(host: SystemdHost, pod: Pod): Promise<string> {
  const inside = `nsenter --net=${pod.namespace.path} setpriv --reuid=65534 --regid=65534 --clear-groups sleep 600 >/dev/null 2>&1 & echo $!`;
  const pid = (await host.must(['sh', '-c', inside])).trim();
  await waitFor('the process to be there', () =>
    readFileSync(host.path(`/proc/${pid}/status`), 'utf8').includes('Uid:\t65534'),
  );
  return pid;
}

async function mainPid(host: SystemdHost): Promise<string> {
  return (await host.must(['systemctl', 'show', '-p', 'MainPID', '--value', 'leasehold'])).trim();
}

/** The unit with all its restrictions, for a script that runs once instead of the daemon. */
function asScript(unit: string, script: string): string {
  return unit
    .replace(/^Type=.*$/m, 'Type=oneshot')
    .replace(/^Restart=.*$/m, 'Restart=no')
    .replace(/^ExecStart=.*$/m, `ExecStart=/bin/sh -euc '${script}'`)
    .replaceAll('=leasehold\n', '=leasehold-script\n');
}

test(
  'what the host side does is allowed behind the restrictions, and nothing else',
  { skip: NEEDS_ROOT },
  async (t) => {
    const lan = await homeLan(t, { hosts: { node: { address: cidr('192.168.2.125/24') } } });
    await using host = await SystemdHost.boot(lan);
    const unit = unitText({ tree: ROOT, configPath: undefined, serviceCidrs: [] });
    const run = async (name: string, script: string): Promise<number> => {
      writeFileSync(host.path(`/etc/systemd/system/${name}.service`), asScript(unit, script));
      await host.must(['systemctl', 'daemon-reload']);
      return (await host.run(['systemctl', 'start', name])).status;
    };
    const hostSide = [
      'ip link add lh0 link eth0 type macvlan mode bridge',
      'echo 1 > /proc/sys/net/ipv4/conf/lh0/arp_filter',
      'ip link set lh0 up',
      'ip addr add 192.168.2.125/32 dev lh0 noprefixroute',
      'nft add table inet sandbox',
      'nft add table netdev sandbox',
      'nft "add chain netdev sandbox out { type filter hook egress device eth0 priority 0; }"',
      'touch /var/lib/leasehold-script/x /run/leasehold-script/x',
    ].join('; ');
    assert.equal(
      await run('allowed', hostSide),
      0,
      await host.must(['journalctl', '--no-pager', '-u', 'allowed']),
    );
    assert.match(await lan.node.namespace.run(['nft', 'list', 'ruleset']), /hook egress device/);
    const forbidden = [
      'touch /etc/x',
      'touch /usr/local/x',
      'touch /var/lib/x',
      'ls /home/*',
      'echo 1 > /proc/sysrq-trigger',
      'unshare --mount true',
      'mount -t tmpfs x /mnt',
      'mknod /tmp/x b 8 0',
      'touch /tmp/x; chmod u+s /tmp/x',
    ];
    for (const [at, script] of forbidden.entries()) {
      assert.notEqual(await run(`forbidden${at}`, script), 0, script);
    }
  },
);

test(
  'the unit under systemd: pods that come after its start, a crash, and a host that is as it was',
  { skip: NEEDS_ROOT },
  async (t) => {
    const lan = await homeLan(t, { hosts: { node: { address: cidr('192.168.2.125/24') } } });
    await using host = await SystemdHost.boot(lan);
    fillHost(host);
    const before = snapshot(host.path(''), CHANGED_BY_INSTALL);

    assert.match(await host.must(INSTALL), /the daemon runs and is ready/);
    assert.match(await host.must(INSTALL), /the daemon runs and is ready/, 'again');
    const status = readFileSync(host.path(`/proc/${await mainPid(host)}/status`), 'utf8');
    const mask = CAPABILITIES.reduce((all, bit) => all | (1n << BigInt(bit)), 0n);
    assert.match(status, new RegExp(`CapBnd:\\t${mask.toString(16).padStart(16, '0')}`));
    assert.match(status, /NoNewPrivs:\t1/);
    assert.match(status, /Seccomp:\t2/);

    const runtime = new CniRuntime({
      place: lan.node.namespace,
      binDirs: [host.path('/opt/cni/bin'), DEBIAN_CNI_BIN],
      env: { LEASEHOLD_SOCKET: host.path('/run/leasehold/leasehold.sock') },
    });
    const network = networkOf([macvlan()]);
    // Its namespace is mounted on the host only now: it must reach the daemon behind its sandbox.
    const pod = await createPod('pod', lan);
    const { result } = await runtime.add(network, pod.attachment);
    const address = addressIn(result);
    assert.match(await pod.namespace.ip('addr', 'show', 'eth0'), new RegExp(address));
    const gateway = String(lan.routerAddress.address);
    await pod.namespace.run(['ping', '-c', '1', '-W', '5', gateway]);

    // A namespace by its process, which belongs to another user.
    const other = await createPod('other', lan);
    const attachment = { ...other.attachment, netns: `/proc/${await processIn(host, other)}/ns/net` };
    await runtime.add(network, attachment);
    await runtime.del(network, attachment);

    // Somebody else's IPAM plugin, which keeps files of its own.
    const third = await createPod('third', lan);
    const fixed = networkOf(
      [
        {
          ...macvlan(),
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet: '192.168.2.0/24', rangeStart: '192.168.2.20', rangeEnd: '192.168.2.29' }]],
          },
        },
      ],
      { name: 'fixed' },
    );
    assert.equal(addressIn((await runtime.add(fixed, third.attachment)).result), '192.168.2.20');
    await runtime.del(fixed, third.attachment);

    const first = await mainPid(host);
    await host.must(['kill', '-KILL', first]);
    await waitFor('the daemon to be started again', async () => {
      const shown = await host.must(['systemctl', 'show', '-p', 'ActiveState,MainPID', 'leasehold']);
      const pid = /^MainPID=(\d+)$/m.exec(shown)?.[1];
      return shown.includes('ActiveState=active') && pid !== first && pid !== '0';
    });
    assert.match(await host.must(['leasehold', 'leases']), new RegExp(`${address} .*bound`));

    const said = await host.must(['leasehold', 'uninstall']);
    assert.match(said, /1 leases are still on record/);
    const refused = await host.run([join(ROOT, 'bin/leasehold'), 'uninstall', '--purge']);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /1 leases are on record .* --force/);
    await host.must([join(ROOT, 'bin/leasehold'), 'uninstall', '--purge', '--force']);
    assert.equal((await host.run(['test', '-e', STATE])).status, 1);
    const after = snapshot(host.path(''), CHANGED_BY_INSTALL);
    // What the other plugin wrote is its own.
    const ours = after.filter((line) => !line.startsWith('/var/lib/cni'));
    assert.deepEqual(
      ours,
      before.filter((line) => !line.startsWith('/var/lib/cni')),
    );
    assert.equal(
      (await host.run(['systemctl', 'status', 'leasehold'])).status,
      4,
      'systemd knows no such unit',
    );
  },
);
