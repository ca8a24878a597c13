import * as v from 'valibot';
import { type Ipv4, isHostIpv4, parseIpv4 } from '../../base/ipv4.ts';
import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts';
import type { Result } from '../../base/result.ts';
import type { ConflictCheck } from '../../lease/record.ts';
import type { Dhcp4Config } from '../../protocol/dhcp4/state.ts';
import type { ClientIdPolicy } from '../identity/client-id.ts';
import { parseClientId } from '../identity/client-id-key.ts';
import { FQDN_UPDATES, type FqdnUpdate } from '../identity/host-name.ts';
import { parseTemplate, type Template } from '../identity/template.ts';
import { quoted } from '../spec/errors.ts';
import { type KeyTree, leaves } from '../spec/key-case.ts';
import { jsonObject, maybe, MAX_ENTRIES, readShape } from '../spec/schema.ts';
import { invalid } from './option-row.ts';
import { type OptionRequest, readRequest, REQUEST_KEYS } from './request.ts';
import { readSend, type SentOptions } from './send.ts';

/** A list of servers that may answer, or of relays; more than these is no list that a person keeps. */
const MOST_SERVERS = 64;

const BROADCAST = ['auto', 'always', 'never'] as const satisfies readonly Dhcp4Config['broadcast'][];
export const CONFLICT_CHECKS = ['off', 'background', 'before'] as const satisfies readonly ConflictCheck[];

/** What a network's configuration and the daemon's may both say of a DHCP client. Undefined: not said here. */
export type DhcpKeys = {
  readonly clientId: ClientIdPolicy | undefined;
  /** Without a part: nothing is sent. */
  readonly hostname: Template | undefined;
  readonly fqdn: { readonly name: Template; readonly update: FqdnUpdate } | undefined;
  readonly send: SentOptions | undefined;
  readonly request: OptionRequest | undefined;
  /** Only these may answer; none listed: any may. */
  readonly servers: readonly Ipv4[] | undefined;
  /** Where servers are listed: further addresses from which their answers may come. */
  readonly relays: readonly Ipv4[] | undefined;
  readonly conflictCheck: ConflictCheck | undefined;
  readonly ipv6Only: boolean | undefined;
  readonly broadcast: Dhcp4Config['broadcast'] | undefined;
  readonly rapidCommit: boolean | undefined;
  readonly forceRenew: boolean | undefined;
};

const list = v.pipe(
  v.array(v.custom<Json>(() => true)),
  v.maxLength(MAX_ENTRIES, `has more than ${MAX_ENTRIES} entries`),
);

function addressesOf(what: 'server' | 'relay') {
  const address = v.pipe(
    v.string(),
    v.rawTransform<string, Ipv4>(({ dataset, addIssue, NEVER }) => {
      const parsed = parseIpv4(dataset.value);
      if (parsed !== undefined && isHostIpv4(parsed)) return parsed;
      addIssue({ message: `${quoted(dataset.value)} is not the IPv4 address of a ${what} ("192.168.2.1")` });
      return NEVER;
    }),
  );
  return v.pipe(v.array(address), v.maxLength(MOST_SERVERS, `has more than ${MOST_SERVERS} addresses`));
}

/** The schema of each key by itself; what is opaque here is read further below. */
export const dhcpEntries = {
  clientId: maybe(v.string()),
  hostname: maybe(v.string()),
  fqdn: maybe(v.custom<Json>(() => true)),
  send: maybe(jsonObject),
  request: maybe(list),
  servers: maybe(addressesOf('server')),
  relays: maybe(addressesOf('relay')),
  conflictCheck: maybe(v.picklist(CONFLICT_CHECKS)),
  ipv6Only: maybe(v.boolean()),
  broadcast: maybe(v.picklist(BROADCAST)),
  rapidCommit: maybe(v.boolean()),
  forceRenew: maybe(v.boolean()),
};

const shape = v.object(dhcpEntries);

export const DHCP_KEYS: readonly string[] = Object.keys(dhcpEntries);

/** Reads what of `raw` is a key of DHCP; other keys are not looked at. Throws CniError 7 naming the key from `at` on. */
export function readDhcpKeys(raw: JsonObject, at: string): DhcpKeys {
  const read = readShape(shape, raw, at);
  if (!read.ok) throw read.error;
  const { clientId, hostname, fqdn, send, request } = read.value;
  const { servers, relays, conflictCheck, ipv6Only, broadcast, rapidCommit, forceRenew } = read.value;
  return {
    servers,
    relays,
    conflictCheck,
    ipv6Only,
    broadcast,
    rapidCommit,
    forceRenew,
    clientId:
      clientId === undefined || clientId === ''
        ? undefined
        : valueOf(parseClientId(clientId), `${at}.clientId`),
    hostname: hostname === undefined ? undefined : valueOf(parseTemplate(hostname), `${at}.hostname`),
    fqdn: fqdn === undefined ? undefined : readFqdn(fqdn, `${at}.fqdn`),
    send: send === undefined ? undefined : readSend(send, `${at}.send`),
    request: request === undefined ? undefined : readRequest(request, `${at}.request`),
  };
}

export const NO_KEYS: DhcpKeys = readDhcpKeys({}, '');

const fqdnShape = v.strictObject({ name: v.string(), update: v.nullish(v.picklist(FQDN_UPDATES), 'server') });

/** What is inside of those of the keys that have objects. */
export const DHCP_VALUE_KEYS: KeyTree = {
  request: REQUEST_KEYS,
  fqdn: leaves(Object.keys(fqdnShape.entries)),
};

/** A template, or `{name, update}`. */
function readFqdn(value: Json, at: string): DhcpKeys['fqdn'] {
  if (typeof value === 'string') return { name: valueOf(parseTemplate(value), at), update: 'server' };
  if (!isJsonObject(value)) throw invalid(`${at}: must be a name, or an object with name and update`);
  const read = readShape(fqdnShape, value, at);
  if (!read.ok) throw read.error;
  return { name: valueOf(parseTemplate(read.value.name), `${at}.name`), update: read.value.update };
}

function valueOf<T>(result: Result<T, string>, at: string): T {
  if (!result.ok) throw invalid(`${at}: ${result.error}`);
  return result.value;
}
