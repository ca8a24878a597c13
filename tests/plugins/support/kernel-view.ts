import * as v from 'valibot';
import { readFile } from 'node:fs/promises';
import type { Namespace } from '../../../src/lab/namespace.ts';

/** What iproute2 shows of a pod: the tests look with other eyes than the daemon's. */

const linkSchema = v.object({
  ifname: v.string(),
  address: v.string(),
  mtu: v.number(),
  flags: v.array(v.string()),
  linkinfo: v.optional(
    v.object({ info_kind: v.optional(v.string()), info_data: v.optional(v.record(v.string(), v.unknown())) }),
  ),
});
export type LinkView = v.InferOutput<typeof linkSchema>;

const addressSchema = v.object({
  addr_info: v.array(
    v.object({
      family: v.string(),
      local: v.string(),
      prefixlen: v.number(),
      scope: v.string(),
      broadcast: v.optional(v.string()),
    }),
  ),
});

const routeSchema = v.object({
  dst: v.string(),
  gateway: v.optional(v.string()),
  dev: v.string(),
  scope: v.optional(v.string()),
  metric: v.optional(v.number()),
});
export type RouteView = v.InferOutput<typeof routeSchema>;

async function json(namespace: Namespace, ...args: readonly string[]): Promise<unknown> {
  const text = await namespace.run(['ip', '-j', '-d', ...args]);
  return text.trim() === '' ? [] : JSON.parse(text);
}

/** iproute2 prints empty objects for what its filter left out. */
function withoutEmpty(list: unknown): unknown {
  return Array.isArray(list) ? list.filter((entry) => Object.keys(entry as object).length > 0) : list;
}

/** All links but lo, by name. */
export async function linksOf(namespace: Namespace): Promise<ReadonlyMap<string, LinkView>> {
  const links = v.parse(v.array(linkSchema), await json(namespace, 'link', 'show'));
  return new Map(links.filter(({ ifname }) => ifname !== 'lo').map((link) => [link.ifname, link]));
}

export async function linkOf(namespace: Namespace, name = 'eth0'): Promise<LinkView> {
  const link = (await linksOf(namespace)).get(name);
  if (link === undefined) throw new Error(`${namespace.name} has no ${name}`);
  return link;
}

/** "192.168.2.7/24" of each IPv4 address, and of each IPv6 address that is not link-local. */
export async function addressesOf(namespace: Namespace, name = 'eth0'): Promise<readonly string[]> {
  const shown = v.parse(
    v.array(addressSchema),
    withoutEmpty(await json(namespace, 'addr', 'show', 'dev', name)),
  );
  return shown
    .flatMap(({ addr_info: info }) => info)
    .filter(({ family, scope }) => family === 'inet' || scope !== 'link')
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

/** The main table as "DST via GATEWAY dev NAME", connected networks without via, with metric where there is one. */
export async function routesOf(namespace: Namespace): Promise<readonly string[]> {
  const routes = v.parse(v.array(routeSchema), await json(namespace, '-4', 'route', 'show'));
  return routes.map(routeText).toSorted();
}

/** Without the link-local network that every IPv6 interface has. */
export async function routes6Of(namespace: Namespace): Promise<readonly string[]> {
  const routes = v.parse(v.array(routeSchema), await json(namespace, '-6', 'route', 'show'));
  return routes
    .filter(({ dst }) => !dst.startsWith('fe80:') && !dst.startsWith('ff00:'))
    .map((route) => routeText({ ...route, metric: undefined }))
    .toSorted();
}

function routeText({ dst, gateway, dev, metric }: RouteView): string {
  const via = gateway === undefined ? '' : ` via ${gateway}`;
  return `${dst}${via} dev ${dev}${metric === undefined || metric === 0 ? '' : ` metric ${metric}`}`;
}

/** A key of /proc/sys/net as a process in the namespace reads it. */
export async function sysctlOf(namespace: Namespace, key: string): Promise<string> {
  return (await namespace.run(['cat', `/proc/sys/net/${key}`])).trim();
}

export async function readFixture(name: string): Promise<string> {
  return await readFile(new URL(`../fixtures/${name}`, import.meta.url), 'utf8');
}
