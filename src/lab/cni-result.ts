import { parseCidr, type Cidr } from '../base/cidr.ts';
import { parseIp, type Ip } from '../base/ip.ts';
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts';
import { parseMac, type Mac } from '../base/mac.ts';

/** What a person wants to know of a CNI result, whatever its version. */
export type ResultView = {
  readonly mac: Mac | undefined;
  readonly address: Cidr | undefined;
  readonly router: Ip | undefined;
};

function objectsIn(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(isJsonObject) : [];
}

function optional<T>(value: Json | undefined, parse: (text: string) => T | undefined): T | undefined {
  return typeof value === 'string' ? parse(value) : undefined;
}

/** 0.1.0 and 0.2.0 have one object `ip4`; later versions lists `interfaces` and `ips`, the first of which count here. */
export function viewResult(result: JsonObject): ResultView {
  const old = result['ip4'];
  if (isJsonObject(old)) {
    return {
      mac: undefined,
      address: optional(old['ip'], parseCidr),
      router: optional(old['gateway'], parseIp),
    };
  }
  const [ip] = objectsIn(result['ips']);
  // The pod's interface is the one with a sandbox; a bridge plugin lists the host's ends before it.
  const inside = objectsIn(result['interfaces']).find(
    (one) => typeof one['sandbox'] === 'string' && one['sandbox'] !== '',
  );
  return {
    mac: optional(inside?.['mac'], parseMac),
    address: optional(ip?.['address'], parseCidr),
    router: optional(ip?.['gateway'], parseIp),
  };
}
