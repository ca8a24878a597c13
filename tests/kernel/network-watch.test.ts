import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { closeFd, sendto } from '../../src/kernel/ffi.ts';
import type { LinkNotice } from '../../src/kernel/link-watch.ts';
import { netlinkAddress, openNetlink, receive } from '../../src/kernel/netlink-fd.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { watchNetwork } from '../../src/kernel/network-watch.ts';
import { writeSysctl } from '../../src/kernel/sysctl.ts';
import { type HostNotice, RTPROT_LEASEHOLD } from '../../src/node/host/ports.ts';
import { encodeRequest } from '../../src/wire/netlink/message.ts';
import { NUD_PERMANENT, replaceNeighbourRequest } from '../../src/wire/netlink/neighbour.ts';
import { replaceRouteRequest } from '../../src/wire/netlink/route-requests.ts';
import { RT_SCOPE_LINK } from '../../src/wire/netlink/rtnetlink.ts';
import { asRoot, linkOf, openFds, Sandbox, until } from './support/sandbox.ts';

const SHIM_MAC = '02:00:00:00:00:51';
const POD_MAC = '02:00:00:00:00:61';
const OTHER_MAC = '02:00:00:00:00:62';
const POD = '10.9.0.77';
/** More than a megabyte of notices: the receive buffer holds no more. */
const FLOOD = 4000;
/** Octets of an address. */
const OCTET = 250;
/** The port id of no socket there: the kernel gives away its own 0, process ids, and numbers from the top (netlink_autobind). */
const NOBODY = 1;

type Watch = {
  readonly notices: HostNotice[];
  readonly links: LinkNotice[];
  readonly asked: Set<number>;
  lost: number;
  readonly close: () => void;
  readonly [Symbol.dispose]: () => void;
};

function watch(netns: NetNs, wanted: readonly number[], own = NOBODY): Watch {
  const { close } = netns.run(() =>
    watchNetwork({
      own,
      onLink: (link) => seen.links.push(link),
      onNotice: (notice) => seen.notices.push(notice),
      wantsNeighbours: (index) => {
        seen.asked.add(index);
        return wanted.includes(index);
      },
      onLost: () => {
        seen.lost++;
      },
    }),
  );
  const seen: Watch = { notices: [], links: [], asked: new Set(), lost: 0, close, [Symbol.dispose]: close };
  return seen;
}

/** What a notice says, in short: "route-gone shim 10.9.0.77/32 src 10.9.0.2 proto 76". */
function inShort(notice: HostNotice, names: ReadonlyMap<number, string>): string {
  if (notice.kind === 'rule') {
    const { gone, iif, to, priority, protocol } = notice;
    return `rule${gone ? '-gone' : ''} ${priority} iif ${iif} to ${to.address}/${to.prefix} proto ${protocol}`;
  }
  if (notice.kind === 'dead-end') {
    return `dead-end${notice.gone ? '-gone' : ''} ${notice.dst.address}/${notice.dst.prefix}`;
  }
  const name = names.get(notice.index) ?? `#${notice.index}`;
  if (notice.kind === 'sysctl') return `sysctl ${name}`;
  const head = `${notice.kind}${notice.gone ? '-gone' : ''} ${name}`;
  switch (notice.kind) {
    case 'link':
      return `${head}${notice.up ? ' up' : ''}${notice.lowerUp ? ' lower-up' : ''}`;
    case 'address':
      return `${head} ${notice.cidr.address}/${notice.cidr.prefix}`;
    case 'route': {
      const { dst, gateway, source, protocol } = notice;
      const via = `${gateway === undefined ? '' : ` via ${gateway}`}${source === undefined ? '' : ` src ${source}`}`;
      return `${head} ${dst.address}/${dst.prefix}${via} proto ${protocol}`;
    }
    case 'neighbour':
      return `${head} ${notice.address} ${notice.mac ?? 'unknown'}${notice.permanent ? ' permanent' : ''}`;
  }
}

/** A node with the uplink v0 and the shim lh0, both with the node's address, and a route and a neighbour on it. */
class Node implements AsyncDisposable {
  readonly #sandbox = new Sandbox('netwatch');
  readonly netns = this.#sandbox.namespace('a');
  readonly rtnl = this.#sandbox.rtnl(this.netns);
  readonly names = new Map<number, string>();
  #end = 0;

  static async make(): Promise<Node> {
    const node = new Node();
    node.run('ip link add v0 type veth peer name x0');
    node.run('ip link set x0 up');
    node.run('ip link set v0 up');
    node.run(`ip link add lh0 link v0 address ${SHIM_MAC} type macvlan mode bridge`);
    for (const name of ['lo', 'v0', 'x0', 'lh0']) node.names.set((await linkOf(node.rtnl, name)).index, name);
    node.restore();
    return node;
  }

  get shim(): number {
    return [...this.names].find(([, name]) => name === 'lh0')?.[0] ?? 0;
  }

  run(command: string): void {
    execFileSync('nsenter', [`--net=${this.#sandbox.path('a')}`, ...command.split(' ')]);
  }

  restore(): void {
    this.run('ip link set lh0 up');
    this.run('ip addr replace 10.9.0.2/24 dev v0');
    this.run('ip addr replace 10.9.0.2/32 dev lh0 noprefixroute');
    this.run(`ip route replace ${POD}/32 dev lh0 proto 76 src 10.9.0.2`);
    this.run(`ip neigh replace ${POD} lladdr ${POD_MAC} dev lh0 nud permanent`);
  }

  /** What is told of this command or action, in order. */
  async told(seen: Watch, action: string | (() => void)): Promise<readonly string[]> {
    await this.#settle(seen);
    const before = seen.notices.length;
    if (typeof action === 'string') this.run(action);
    else action();
    const end = await this.#settle(seen);
    return seen.notices.slice(before, end).map((notice) => inShort(notice, this.names));
  }

  /** Waits for the notice of something that happens last; returns where it lies. */
  async #settle(seen: Watch): Promise<number> {
    const address = `127.1.${Math.floor(this.#end / OCTET)}.${(this.#end++ % OCTET) + 1}`;
    this.run(`ip addr add ${address}/32 dev lo noprefixroute`);
    const find = (): number =>
      seen.notices.findIndex((notice) => notice.kind === 'address' && notice.cidr.address === address);
    await until('the end is told', () => find() >= 0);
    return find();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sandbox[Symbol.asyncDispose]();
  }
}

test('what others do to addresses, routes and neighbours is told', asRoot, async () => {
  await using node = await Node.make();
  using seen = watch(node.netns, [node.shim]);
  const told = (command: string): Promise<readonly string[]> => node.told(seen, command);
  assert.deepEqual(await told('ip addr add 10.9.0.8/24 dev v0'), ['address v0 10.9.0.8/24']);
  assert.deepEqual(await told('ip addr del 10.9.0.8/24 dev v0'), ['address-gone v0 10.9.0.8/24']);
  assert.deepEqual(await told('ip route add default via 10.9.0.1 proto dhcp'), [
    'route v0 0.0.0.0/0 via 10.9.0.1 proto 16',
  ]);
  assert.deepEqual(await told(`ip route del ${POD}/32 dev lh0`), [
    `route-gone lh0 ${POD}/32 src 10.9.0.2 proto 76`,
  ]);
  assert.deepEqual(await told(`ip neigh replace ${POD} lladdr ${OTHER_MAC} dev lh0 nud stale`), [
    `neighbour lh0 ${POD} ${OTHER_MAC}`,
  ]);
  // First as failed, then as gone.
  assert.deepEqual(await told(`ip neigh del ${POD} dev lh0`), [
    `neighbour lh0 ${POD} unknown`,
    `neighbour-gone lh0 ${POD} unknown`,
  ]);
  assert.deepEqual(await told('ip route flush dev v0 proto dhcp'), [
    'route-gone v0 0.0.0.0/0 via 10.9.0.1 proto 16',
  ]);
  assert.equal(seen.lost, 0);
});

test(
  'rules that prohibit a network to what comes in by one interface are told, others not',
  asRoot,
  async () => {
    await using node = await Node.make();
    using seen = watch(node.netns, []);
    const told = (command: string): Promise<readonly string[]> => node.told(seen, command);
    const rule = 'iif lh0 to 10.43.0.0/16 priority 105 protocol 76';
    assert.deepEqual(await told(`ip rule add ${rule} prohibit`), [
      'rule 105 iif lh0 to 10.43.0.0/16 proto 76',
    ]);
    assert.deepEqual(await told(`ip rule del ${rule} prohibit`), [
      'rule-gone 105 iif lh0 to 10.43.0.0/16 proto 76',
    ]);
    // Of an interface that is not there, too. The kernel flushes one after another.
    assert.deepEqual(await told('ip rule add iif lh7 to 10.43.0.0/16 priority 9 protocol 4 prohibit'), [
      'rule 9 iif lh7 to 10.43.0.0/16 proto 4',
    ]);
    assert.deepEqual(await told('ip rule flush proto 4'), ['rule-gone 9 iif lh7 to 10.43.0.0/16 proto 4']);
    for (const other of [
      'ip rule add iif lh0 to 10.43.0.0/16 priority 8 blackhole',
      'ip rule add iif lh0 from 10.9.0.0/16 to 10.43.0.0/16 priority 7 prohibit',
      'ip rule add to 10.43.0.0/16 priority 6 prohibit',
      'ip rule add iif lh0 priority 5 prohibit',
      'ip rule add from 10.9.0.2 lookup 100',
      'ip -6 rule add iif lh0 to fd00::/64 prohibit',
    ])
      assert.deepEqual(await told(other), [], other);
    assert.equal(seen.lost, 0);
  },
);

test('links are told in both forms', asRoot, async () => {
  await using node = await Node.make();
  using seen = watch(node.netns, [node.shim]);
  const told = (command: string): Promise<readonly string[]> => node.told(seen, command);
  const [last] = (await told('ip link set lh0 alias another')).slice(-1);
  assert.equal(last, 'link lh0 up lower-up');
  // What the macvlan may have is lowered with its parent.
  assert.deepEqual(await told('ip link set v0 mtu 1400'), ['link v0 up lower-up', 'link lh0 up lower-up']);
  // A MAC that changes takes all neighbours along, permanent ones too.
  assert.deepEqual(await told('ip link set lh0 address 02:00:00:00:00:54'), [
    'link lh0 up lower-up',
    `neighbour-gone lh0 ${POD} ${POD_MAC} permanent`,
  ]);
  await told('ip link del lh0');
  const link = seen.links.findLast(({ name }) => name === 'lh0');
  assert.equal(link?.removed, true);
  const links = seen.notices.filter((notice) => notice.kind === 'link');
  assert.deepEqual(
    links,
    seen.links.map(({ removed, ...rest }) => ({ kind: 'link', gone: removed, ...rest })),
  );
});

test('of sysctls forwarding and rp_filter are told when they change, no others', asRoot, async () => {
  await using node = await Node.make();
  using seen = watch(node.netns, []);
  const write = (path: string, value: string): void => writeSysctl(node.netns, path.split('/'), value);
  const told = (path: string, value: string): Promise<readonly string[]> =>
    node.told(seen, () => write(path, value));
  write('ipv4/conf/all/forwarding', '0');
  write('ipv4/conf/lh0/rp_filter', '0');
  assert.deepEqual(await told('ipv4/conf/lh0/rp_filter', '1'), ['sysctl lh0']);
  assert.deepEqual(await told('ipv4/conf/lh0/rp_filter', '1'), []);
  assert.deepEqual(await told('ipv4/conf/lh0/forwarding', '1'), ['sysctl lh0']);
  // Of all interfaces, as index 0; conf.default is none's.
  assert.deepEqual(await told('ipv4/conf/all/rp_filter', '2'), ['sysctl #0']);
  assert.deepEqual(await told('ipv4/conf/default/rp_filter', '2'), []);
  assert.deepEqual(await told('ipv4/ip_forward', '1'), [
    'sysctl #0',
    ...['lo', 'x0', 'v0', 'lh0'].map((name) => `sysctl ${name}`),
  ]);
  assert.deepEqual(await told('ipv4/conf/lh0/arp_filter', '1'), []);
  assert.deepEqual(await told('ipv4/conf/lh0/send_redirects', '0'), []);
  assert.deepEqual(await told('ipv4/conf/lh0/accept_redirects', '0'), []);
  assert.deepEqual(await told('ipv6/conf/lh0/disable_ipv6', '1'), []);
});

test('routes that go with their link or with its last address are not told', asRoot, async () => {
  await using node = await Node.make();
  using seen = watch(node.netns, [node.shim]);
  const routes = async (): Promise<number> =>
    (await node.rtnl.routes.list(4)).filter((route) => route.index === node.shim).length;
  assert.deepEqual(await node.told(seen, 'ip link set lh0 down'), [
    'link lh0',
    `neighbour-gone lh0 ${POD} ${POD_MAC} permanent`,
  ]);
  assert.equal(await routes(), 0);
  node.restore();
  assert.equal(await routes(), 1);
  assert.deepEqual(await node.told(seen, 'ip addr flush dev lh0'), [
    'address-gone lh0 10.9.0.2/32',
    `neighbour-gone lh0 ${POD} ${POD_MAC} permanent`,
  ]);
  assert.equal(await routes(), 0);
  node.restore();
  const gone = await node.told(seen, 'ip link del lh0');
  assert.deepEqual(
    gone.filter((notice) => notice.startsWith('route')),
    [],
  );
  assert.ok(gone.some((notice) => notice.startsWith('link-gone')));
});

test('a route that takes the place of another is told, and the other’s end is not', asRoot, async () => {
  await using node = await Node.make();
  using seen = watch(node.netns, []);
  const told = (command: string): Promise<readonly string[]> => node.told(seen, command);
  assert.deepEqual(await told(`ip route replace ${POD}/32 dev v0`), [`route v0 ${POD}/32 proto 3`]);
  // Not in the table main, not IPv4: not told. Several next hops are one notice.
  assert.deepEqual(await told('ip route add 10.5.0.0/24 dev v0 table 100'), []);
  assert.deepEqual(await told('ip route add blackhole 10.6.0.0/24'), ['dead-end 10.6.0.0/24']);
  assert.deepEqual(await told('ip route del blackhole 10.6.0.0/24'), ['dead-end-gone 10.6.0.0/24']);
  assert.deepEqual(await told('ip route add local 10.4.0.0/24 dev lo'), []);
  assert.deepEqual(await told('ip -6 route add fd00::/64 dev v0'), []);
  assert.deepEqual(await told('ip route add 10.7.0.0/24 nexthop via 10.9.0.3 nexthop via 10.9.0.4'), [
    'route #0 10.7.0.0/24 proto 3',
  ]);
});

test(
  'neighbours of other interfaces are not told, and those of other families not asked about',
  asRoot,
  async () => {
    await using node = await Node.make();
    node.run('ip link add br0 type bridge');
    node.run('ip link add b1 type veth peer name c1');
    node.run('ip link set b1 master br0 up');
    for (const name of ['br0', 'b1', 'c1']) node.names.set((await linkOf(node.rtnl, name)).index, name);
    using seen = watch(node.netns, [node.shim]);
    const told = (command: string): Promise<readonly string[]> => node.told(seen, command);
    assert.deepEqual(await told(`ip neigh replace 10.9.0.60 lladdr ${OTHER_MAC} dev v0 nud permanent`), []);
    const v0 = (await linkOf(node.rtnl, 'v0')).index;
    assert.deepEqual([...seen.asked], [v0]);
    // IPv6, and the forwarding table of a bridge: AF_BRIDGE in the same group.
    assert.deepEqual(await told(`ip neigh replace fd00::60 lladdr ${OTHER_MAC} dev lh0 nud permanent`), []);
    assert.deepEqual(await told(`bridge fdb replace ${OTHER_MAC} dev b1 master`), []);
    assert.deepEqual([...seen.asked], [v0]);
  },
);

test(
  'routes and neighbours that our own socket changes are not told, what else it does is',
  asRoot,
  async () => {
    await using node = await Node.make();
    const { shim, rtnl } = node;
    using seen = watch(node.netns, [shim], rtnl.portId);
    const [other, lladdr] = [ipv4('10.9.0.78'), mac(OTHER_MAC)];
    const route = { dst: { address: other, prefix: 32 }, index: shim, protocol: RTPROT_LEASEHOLD };
    const neighbour = { index: shim, address: other, mac: lladdr, state: NUD_PERMANENT };
    const requests = [
      replaceRouteRequest({ ...route, scope: RT_SCOPE_LINK }),
      replaceNeighbourRequest(neighbour),
    ];
    const before = seen.notices.length;
    assert.deepEqual(await rtnl.batch(requests), [undefined, undefined]);
    // The same by others, and an address by us.
    assert.deepEqual(await node.told(seen, `ip route replace ${other}/32 dev v0 proto 76`), [
      `route v0 ${other}/32 proto 76`,
    ]);
    assert.deepEqual(
      await node.told(seen, `ip neigh replace ${other} lladdr ${POD_MAC} dev lh0 nud permanent`),
      [`neighbour lh0 ${other} ${POD_MAC} permanent`],
    );
    await rtnl.addresses.add({ index: shim, cidr: { address: ipv4('10.9.0.99'), prefix: 32 } });
    await until('our address is told', () =>
      seen.notices.some((one) => one.kind === 'address' && one.cidr.address === '10.9.0.99'),
    );
    const told = seen.notices.slice(before).filter(({ kind }) => kind === 'route' || kind === 'neighbour');
    assert.equal(told.length, 2);
  },
);

/** Sets neighbours of v0 without a turn of the loop. */
function floodNeighbours(netns: NetNs, index: number): void {
  const fd = netns.run(openNetlink);
  const to = netlinkAddress(0);
  for (let i = 0; i < FLOOD; i++) {
    const address = ipv4(`10.8.0.${(i % OCTET) + 1}`);
    // Another one for each round, or nothing would change.
    const lladdr = mac(`02:00:00:00:01:${Math.floor(i / OCTET) % 2 === 0 ? '01' : '02'}`);
    const request = replaceNeighbourRequest({ index, address, mac: lladdr, state: NUD_PERMANENT });
    const bytes = encodeRequest(request, i);
    assert.equal(sendto(fd, bytes, bytes.length, 0, to, to.length), bytes.length);
    receive(fd);
  }
  closeFd(fd);
}

test(
  'an overflow is told once all that is older is read, and what comes after it is heard',
  asRoot,
  async () => {
    await using node = await Node.make();
    using seen = watch(node.netns, [node.shim]);
    floodNeighbours(node.netns, (await linkOf(node.rtnl, 'v0')).index);
    await until('the loss is told', () => seen.lost > 0);
    assert.equal(seen.lost, 1);
    assert.deepEqual(await node.told(seen, `ip route del ${POD}/32 dev lh0`), [
      `route-gone lh0 ${POD}/32 src 10.9.0.2 proto 76`,
    ]);
    assert.equal(seen.lost, 1);
  },
);

test('closed in a call it calls no more, and it leaves no descriptor', asRoot, async () => {
  await using node = await Node.make();
  using other = watch(node.netns, []);
  const before = openFds();
  const calls: string[] = [];
  const { close } = node.netns.run(() =>
    watchNetwork({
      own: NOBODY,
      onLink: () => {
        calls.push('link');
        close();
        close();
      },
      onNotice: () => calls.push('notice'),
      wantsNeighbours: () => false,
      onLost: () => calls.push('lost'),
    }),
  );
  await node.told(other, 'ip link set lh0 down');
  assert.deepEqual(calls.slice(calls.indexOf('link')), ['link']);
  assert.equal(openFds(), before);
});
