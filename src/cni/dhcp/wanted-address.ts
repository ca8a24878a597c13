import { parseCidr } from '../../base/cidr.ts';
import { type Ipv4, isHostIpv4, parseIpv4 } from '../../base/ipv4.ts';
import type { Json } from '../../base/json.ts';
import type { CniArgs } from '../spec/args.ts';
import type { NetConf } from '../spec/conf.ts';
import { quoted } from '../spec/errors.ts';
import { objectAt } from '../spec/schema.ts';
import { invalid } from './option-row.ts';

/** `runtimeConfig.ips` (capability), then `args.cni.ips`, then CNI_ARGS `IP`: the first IPv4 address. */
export function wantedAddress(conf: NetConf, args: CniArgs): Ipv4 | undefined {
  const lists: readonly (readonly [string, Json | undefined])[] = [
    ['runtimeConfig.ips', conf.runtimeConfig['ips']],
    ['args.cni.ips', objectAt(conf.args, 'cni')?.['ips']],
    ['CNI_ARGS IP', args.values.get('IP')?.split(',')],
  ];
  for (const [at, list] of lists) {
    if (list === undefined || list === null) continue;
    if (!Array.isArray(list)) throw invalid(`${at}: must be a list of addresses`);
    const first = list.map((entry: Json) => addressIn(entry, at)).find((address) => address !== undefined);
    if (first !== undefined) return first;
  }
  return undefined;
}

/** Undefined for IPv6, which is not this client's. */
function addressIn(entry: Json, at: string): Ipv4 | undefined {
  const text = typeof entry === 'string' ? entry.trim() : '';
  if (text.includes(':')) return undefined;
  const address = parseIpv4(parseCidr(text)?.address ?? text);
  if (address === undefined || !isHostIpv4(address)) {
    throw invalid(`${at}: ${quoted(text)} is not an address that an interface can have ("192.168.2.50")`);
  }
  return address;
}
