import * as v from 'valibot';
import type { Cidr } from '../../base/cidr.ts';
import type { Ip } from '../../base/ip.ts';
import type { Mac } from '../../base/mac.ts';
import { type KeyTree, leaves } from './key-case.ts';
import { listOf, optionalText, plainText } from './schema.ts';

/**
 * What an ADD has made, in the shape of spec 1.1.0, which can express all that the older versions can. It carries no
 * version: that is chosen when it is written (`resultToVersion`), and gone when it has been read (`parseResult`).
 */
export type CniResult = {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
};

/** `sandbox` is the path of the network namespace; absent for an interface of the host. */
export type CniInterface = {
  readonly name: string;
  readonly mac?: Mac | undefined;
  readonly mtu?: number | undefined;
  readonly sandbox?: string | undefined;
  readonly socketPath?: string | undefined;
  readonly pciID?: string | undefined;
};

/** `address` keeps its host bits; `interface` is an index into `interfaces`. */
export type CniIp = {
  readonly address: Cidr;
  readonly gateway?: Ip | undefined;
  readonly interface?: number | undefined;
};

/** `priority` is the metric, `scope` and `table` are the numbers of linux/rtnetlink.h. */
export type CniRoute = {
  readonly dst: Cidr;
  readonly gw?: Ip | undefined;
  readonly mtu?: number | undefined;
  readonly advmss?: number | undefined;
  readonly priority?: number | undefined;
  readonly table?: number | undefined;
  readonly scope?: number | undefined;
};

/** Texts and not addresses: whoever writes a resolv.conf takes them as they are ("fe80::1%eth0" is a name server). */
export type CniDns = {
  readonly nameservers: readonly string[];
  readonly domain?: string | undefined;
  readonly search: readonly string[];
  readonly options: readonly string[];
};

export const NO_DNS: CniDns = { nameservers: [], search: [], options: [] };

export const EMPTY_RESULT: CniResult = { interfaces: [], ips: [], routes: [], dns: NO_DNS };

const dnsObject = v.object({
  nameservers: listOf(plainText),
  domain: optionalText,
  search: listOf(plainText),
  options: listOf(plainText),
});

export const DNS_KEYS: KeyTree = leaves(Object.keys(dnsObject.entries));

export const dnsShape = v.pipe(
  dnsObject,
  v.transform((dns): CniDns => withoutUndefined(dns)),
);

/** The same object with the keys left out that are undefined, so that equal results are deeply equal. */
export function withoutUndefined<T extends object>(value: T): T {
  const copy = { ...value };
  for (const key of Object.keys(copy))
    if (Reflect.get(copy, key) === undefined) Reflect.deleteProperty(copy, key);
  return copy;
}
