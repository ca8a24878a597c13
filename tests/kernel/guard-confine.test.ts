import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { HostGuard, type GuardSpec } from '../../src/kernel/guard.ts';
import { asRoot, Sandbox, until } from './support/sandbox.ts';

const SPEC: GuardSpec = {
  networks: [{ address: ipv4('10.43.0.0'), prefix: 16 }],
  uplinks: ['eth0'],
  shims: ['lh0'],
};
const LAN_MAC = '02:00:00:00:00:07';
const STORAGE_MAC = '02:00:00:00:00:09';

/** Sends one UDP datagram as a frame: interface, MAC addresses of receiver, then addresses and ports. */
const SEND = `import socket,struct,sys
def h(x): return bytes.fromhex(x.replace(':',''))
def ck(b):
  t=sum(struct.unpack('!%dH'%(len(b)//2),b)); t=(t&65535)+(t>>16); t=(t&65535)+(t>>16); return ~t&65535
s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((sys.argv[1],0))
a,b=map(socket.inet_aton,sys.argv[3:5]); sp,dp=map(int,sys.argv[5:7])
i=struct.pack('!BBHHHBBH4s4s',69,0,29,1,0,64,17,0,a,b); i=i[:10]+struct.pack('!H',ck(i))+i[12:]
s.send(h(sys.argv[2])+h('020000000007')+b'\\x08\\x00'+i+struct.pack('!HHHH',sp,dp,9,0)+b'x')`;

type Link = { readonly address: string; readonly stats64: { readonly tx: { readonly packets: number } } };

/** A node with an uplink and a storage network; the other ends of both are in one namespace. */
function makeNode(sandbox: Sandbox) {
  const netns = sandbox.namespace('node');
  sandbox.namespace('far');
  const inside = (place: string, ...command: readonly string[]): string =>
    execFileSync('nsenter', [`--net=${sandbox.path(place)}`, ...command], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  const script = (place: string, text: string): string => inside(place, 'bash', '--norc', '-ec', text);
  const far = sandbox.path('far').replace('/run/netns/', '');
  script(
    'node',
    `sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 net.ipv4.ip_forward=1
    ip link add eth0 type veth peer name lan netns ${far}
    ip link add st0 type veth peer name st1 netns ${far}
    ip link set eth0 up; ip link set st0 up
    ip addr add 192.168.5.2/24 dev eth0; ip addr add 10.9.0.1/24 dev st0
    ip neigh add 192.168.5.7 lladdr ${LAN_MAC} dev eth0 nud permanent
    ip neigh add 10.9.0.2 lladdr ${STORAGE_MAC} dev st0 nud permanent`,
  );
  script('far', 'ip link set lan up; ip link set st1 up');
  const look = (link: string): Link => {
    const [found] = JSON.parse(inside('node', 'ip', '-s', '-j', 'link', 'show', link)) as readonly Link[];
    if (found === undefined) throw new Error(`no ${link}`);
    return found;
  };
  return {
    netns,
    run: (text: string) => script('node', text),
    sentBy: (link: string) => look(link).stats64.tx.packets,
    /** From the other end of an interface of the node. */
    send: (by: 'lan' | 'st1', from: string, to: string, ports: readonly [from: number, to: number]) => {
      const { address } = look(by === 'lan' ? 'eth0' : 'st0');
      inside('far', 'python3', '-c', SEND, by, address, from, to, ...ports.map(String));
    },
  };
}

const CLIENT = '192.168.5.7';
const STORAGE = '10.9.0.2';

test('what comes in by a confined uplink is passed on to nobody but those of the LAN', asRoot, async () => {
  await using sandbox = new Sandbox('confine');
  const node = makeNode(sandbox);
  await using guard = new HostGuard(node.netns);
  await guard.put({ ...SPEC, confined: ['eth0', 'lh0'] });
  assert.equal(await guard.isIntact(), true);
  const before = node.sentBy('st0');
  node.send('lan', CLIENT, STORAGE, [1000, 2000]);
  await until('it is stopped', async () => (await guard.counters()).confine === 1n);
  assert.equal(node.sentBy('st0'), before);
});

test('what the other network begins is answered, and what was translated passes', asRoot, async () => {
  await using sandbox = new Sandbox('confine');
  const node = makeNode(sandbox);
  await using guard = new HostGuard(node.netns);
  await guard.put({ ...SPEC, confined: ['eth0', 'lh0'] });
  const [atLan, atStorage] = [node.sentBy('eth0'), node.sentBy('st0')];
  node.send('st1', STORAGE, CLIENT, [3000, 4000]);
  await until('it passed', () => Promise.resolve(node.sentBy('eth0') > atLan));
  node.send('lan', CLIENT, STORAGE, [4000, 3000]);
  await until('its answer passed', () => Promise.resolve(node.sentBy('st0') > atStorage));
  node.run(
    `nft 'add table ip t; add chain ip t c { type nat hook prerouting priority -100; }'
    nft add rule ip t c udp dport 30080 dnat to ${STORAGE}:80`,
  );
  const passed = node.sentBy('st0');
  node.send('lan', CLIENT, '192.168.5.2', [5000, 30080]);
  await until('the translated one passed', () => Promise.resolve(node.sentBy('st0') > passed));
  assert.equal((await guard.counters()).confine, 0n);
});

test('a node that is a router stays one, and its connections are not tracked for us', asRoot, async () => {
  await using sandbox = new Sandbox('confine');
  const node = makeNode(sandbox);
  await using guard = new HostGuard(node.netns);
  await guard.put({ ...SPEC, networks: [], confined: ['eth0', 'lh0'] });
  await guard.put({ ...SPEC, networks: [], confined: [] });
  assert.equal(await guard.isIntact(), true);
  assert.doesNotMatch(node.run('nft list table inet leasehold'), /\bct\b|confined/);
  const before = node.sentBy('st0');
  node.send('lan', CLIENT, STORAGE, [1000, 2000]);
  await until('it passes', () => Promise.resolve(node.sentBy('st0') > before));
});
