import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { NetNs } from '../../../src/kernel/netns.ts';
import { Rtnl } from '../../../src/kernel/rtnl.ts';
import type { Link } from '../../../src/wire/netlink/link.ts';

/** For test(): namespaces can only be made by root. */
export const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root' } as const;

const DEADLINE_MS = 5000;

let serial = 0;

/** Named network namespaces that exist only for one test; `using` removes them on failure too. */
export class Sandbox implements AsyncDisposable {
  readonly #label: string;
  readonly #names: string[] = [];
  readonly #resources = new AsyncDisposableStack();

  constructor(label: string) {
    this.#label = `lh-${label}-${process.pid}-${serial++}`;
  }

  path(suffix: string): string {
    return `/run/netns/${this.#label}-${suffix}`;
  }

  namespace(suffix: string): NetNs {
    const name = `${this.#label}-${suffix}`;
    execFileSync('ip', ['netns', 'add', name]);
    this.#names.push(name);
    return this.#resources.use(NetNs.open(this.path(suffix)));
  }

  rtnl(netns: NetNs): Rtnl {
    return this.#resources.use(Rtnl.open(netns));
  }

  /** What iproute2 sees in a namespace: the independent witness. */
  ip(suffix: string, ...args: readonly string[]): readonly Record<string, unknown>[] {
    const text = execFileSync('ip', ['-n', `${this.#label}-${suffix}`, '-d', '-j', ...args], {
      encoding: 'utf8',
    });
    return JSON.parse(text === '' ? '[]' : text) as readonly Record<string, unknown>[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
    for (const name of this.#names) execFileSync('ip', ['netns', 'del', name]);
  }
}

export type Pair = {
  readonly left: NetNs;
  readonly right: NetNs;
  readonly leftRtnl: Rtnl;
  readonly rightRtnl: Rtnl;
  readonly leftLink: Link;
  readonly rightLink: Link;
};

/** Two namespaces, "left" and "right", with a veth pair "v0" and "v1" between them, both up. */
export async function makePair(sandbox: Sandbox): Promise<Pair> {
  const left = sandbox.namespace('left');
  const right = sandbox.namespace('right');
  const leftRtnl = sandbox.rtnl(left);
  const rightRtnl = sandbox.rtnl(right);
  await leftRtnl.links.add({
    name: 'v0',
    kind: 'veth',
    up: true,
    peer: { name: 'v1', netnsFd: right.fd },
  });
  const rightLink = await linkOf(rightRtnl, 'v1');
  await rightRtnl.links.set({ index: rightLink.index, up: true });
  return { left, right, leftRtnl, rightRtnl, leftLink: await linkOf(leftRtnl, 'v0'), rightLink };
}

/** A pod of its own namespace: a macvlan "eth0" on the right end of a pair. */
export async function addPod(
  sandbox: Sandbox,
  { rightRtnl, rightLink }: Pick<Pair, 'rightRtnl' | 'rightLink'>,
  suffix: string,
): Promise<{ readonly netns: NetNs; readonly link: Link }> {
  const netns = sandbox.namespace(suffix);
  await rightRtnl.links.addMacvlan({
    name: 'eth0',
    masterIndex: rightLink.index,
    netnsFd: netns.fd,
    mode: 'bridge',
    up: true,
  });
  return { netns, link: await linkOf(sandbox.rtnl(netns), 'eth0') };
}

export async function linkOf(rtnl: Rtnl, name: string): Promise<Link> {
  const link = await rtnl.links.get(name);
  assert.ok(link !== undefined, `there is a link ${name}`);
  return link;
}

/** Looks again and again until it is so, at most until the deadline. */
export async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await check())) {
    assert.ok(performance.now() < deadline, `in time: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}

/** The open descriptors of this process. */
export function openFds(): number {
  return readdirSync('/proc/self/fd').length;
}
