import * as v from 'valibot';
import type { JsonObject } from '../../base/json.ts';
import type { Mac } from '../../base/mac.ts';
import type { ApplyPolicy, ConflictCheck, LeaseKey } from '../../lease/record.ts';
import type { Dhcp4Config } from '../../protocol/dhcp4/state.ts';
import { nearest } from '../../base/nearest.ts';
import type { DhcpSettings } from '../context.ts';
import {
  anonymousRequest,
  isAnonymous,
  refuseAddresses,
  refuseBurnedIn,
  refuseIdentifying,
  refuseProvide,
  withoutIdentity,
} from '../dhcp/anonymous.ts';
import { DHCP_KEYS, DHCP_VALUE_KEYS, readDhcpKeys } from '../dhcp/keys.ts';
import { type NameNote, namesSent } from '../dhcp/names-sent.ts';
import { CLIENT_IDENTIFIER, invalid } from '../dhcp/option-row.ts';
import { overlay } from '../dhcp/overlay.ts';
import { PROVIDE_KEYS, provideList, readProvide } from '../dhcp/provide.ts';
import { NO_REQUEST, parameterRequest } from '../dhcp/request.ts';
import { refuseNonceAuthentication } from '../dhcp/send.ts';
import { ALL_ROUTES, readRoutesKey, ROUTES_KEYS } from '../dhcp/routes-key.ts';
import { wantedAddress } from '../dhcp/wanted-address.ts';
import { clientIdOf, type ClientIdPolicy } from '../identity/client-id.ts';
import { type Attached, type Subject, subjectOf } from '../identity/subject.ts';
import type { PlaceholderValues } from '../identity/template.ts';
import { podOf } from '../spec/args.ts';
import type { NetConf } from '../spec/conf.ts';
import { quoted } from '../spec/errors.ts';
import { type KeyTree, leaves } from '../spec/key-case.ts';
import { maybe, optionalText, readShape, uint32 } from '../spec/schema.ts';

/** What is left of an Ethernet frame beside the fixed fields and the options of the exchange itself. */
const MAX_SENT_BYTES = 1000;
const DEFAULT_CLIENT_ID: ClientIdPolicy = { kind: 'container' };
const DEFAULT_CONFLICT_CHECK: ConflictCheck = 'background';

/** The Go plugin's own keys; `request` is read with those that the daemon's configuration has too. */
const ipamShape = v.object({
  provide: provideList,
  priority: maybe(uint32),
  daemonSocketPath: optionalText,
});
const GO_KEYS: ReadonlySet<string> = new Set(['type', 'request', ...Object.keys(ipamShape.entries)]);
const OWN_KEYS: readonly string[] = [...DHCP_KEYS.filter((key) => !GO_KEYS.has(key)), 'routes'];

/** Those of the `ipam` section, ours and the Go plugin's. */
export const DHCP_IPAM_KEYS: KeyTree = {
  ...leaves([...GO_KEYS, ...OWN_KEYS]),
  ...DHCP_VALUE_KEYS,
  provide: PROVIDE_KEYS,
  routes: ROUTES_KEYS,
};

/** The configuration as the Go plugin reads it, which does not know our keys. */
export function goKeysOnly(conf: NetConf): NetConf {
  if (conf.ipam === undefined) return conf;
  return { ...conf, ipam: Object.fromEntries(Object.entries(conf.ipam).filter(([key]) => GO_KEYS.has(key))) };
}

/** Something that was wanted and could not be had: `event` is what it is counted as. */
export type ConfNote = NameNote | { readonly event: 'identity-without-pod'; readonly text: string };

export type DhcpConf = {
  /** What the client works with, for the interface that has this MAC. Throws CniError 7 where that MAC tells who it is. */
  readonly clientFor: (mac: Mac) => Omit<Dhcp4Config, 'chaddr'>;
  readonly apply: ApplyPolicy;
  readonly conflictCheck: ConflictCheck;
  /** The next container of this name is the same client: it is to have the same address again. */
  readonly remember: boolean;
  readonly notes: readonly ConfNote[];
};

/**
 * The `ipam` section of type `dhcp`, every key of the Go plugin and our own (docs/identity.md, docs/dhcp-options.md),
 * over what the daemon's configuration says, as what the client needs. Throws CniError 7 naming the key.
 */
export function readDhcpConf(conf: NetConf, attached: Attached, settings: DhcpSettings): DhcpConf {
  const raw = conf.ipam ?? {};
  refuseMisspelled(raw);
  const read = readShape(ipamShape, raw, 'ipam');
  if (!read.ok) throw read.error;
  const { provide, priority } = read.value;
  const own = readDhcpKeys(raw, 'ipam');
  const { args } = attached;
  const anonymous = isAnonymous(own, settings.defaults);
  const requestedAddress = wantedAddress(conf, args);
  if (anonymous) {
    refuseIdentifying(own, 'ipam');
    refuseProvide(provide, 'ipam');
    refuseAddresses(conf, args, requestedAddress);
  }
  const provided = readProvide(provide, args);
  const defaults = anonymous ? withoutIdentity(settings.defaults) : settings.defaults;
  const keys = overlay(own, defaults, provided);
  if ((own.relays ?? []).length > 0 && (keys.servers ?? []).length === 0) {
    throw invalid('relays: counts only beside "servers", of which there are none: name the servers too');
  }
  const subject = subjectOf(attached, settings.identity);
  const stated = new Map([...(keys.send ?? []), ...provided]);
  const ownId = stated.get(CLIENT_IDENTIFIER);
  stated.delete(CLIENT_IDENTIFIER);
  refuseNonceAuthentication(Object.fromEntries(stated));
  const names = namesSent(keys, placeholders(conf, attached, settings), stated);
  const send = Object.fromEntries(names.options);
  refuseTooMuch(send, ownId);
  const policy: ClientIdPolicy =
    ownId === undefined ? (keys.clientId ?? DEFAULT_CLIENT_ID) : { kind: 'bytes', hex: ownId };
  const ipv6Only = keys.ipv6Only ?? false;
  const common = {
    requestedAddress,
    parameterRequest: anonymous
      ? anonymousRequest(ipv6Only)
      : parameterRequest(keys.request ?? NO_REQUEST, ipv6Only),
    send,
    servers: keys.servers ?? [],
    relays: keys.relays ?? [],
    ipv6Only,
    rapidCommit: !anonymous && (keys.rapidCommit ?? true),
    forceRenew: !anonymous && (keys.forceRenew ?? true),
    broadcast: keys.broadcast ?? 'auto',
    ...(anonymous ? { anonymous } : {}),
  };
  const key: LeaseKey = {
    containerId: attached.containerId,
    network: conf.name,
    ifname: attached.ifname,
  };
  const scope = settings.identity;
  // Made from a container: no reservation and no earlier lease can be bound to it.
  const clientIdOptional = policy.kind === 'container' || isOfContainer(policy, subject);
  return {
    clientFor: (mac) => {
      if (anonymous) refuseBurnedIn(mac);
      return { ...common, clientId: clientIdOf(policy, { key, subject, scope, mac }), clientIdOptional };
    },
    apply: applyPolicy(conf, raw, priority),
    conflictCheck: keys.conflictCheck ?? DEFAULT_CONFLICT_CHECK,
    remember: !clientIdOptional && !anonymous,
    notes: [...identityNotes(policy, subject), ...names.notes],
  };
}

/** Keys that nobody knows are passed over, as the Go plugin does; one that is nearly ours is a mistake. */
function refuseMisspelled(raw: JsonObject): void {
  for (const key of Object.keys(raw)) {
    if (GO_KEYS.has(key) || OWN_KEYS.includes(key)) continue;
    const near = nearest(key, OWN_KEYS);
    if (near !== undefined) {
      throw invalid(`ipam: ${quoted(key)} is no key of it: did you mean "${near}"?`);
    }
  }
}

function refuseTooMuch(send: Readonly<Record<number, string>>, clientId: string | undefined): void {
  const total = [...Object.values(send), clientId ?? ''].reduce((sum, hex) => sum + hex.length / 2, 0);
  if (total > MAX_SENT_BYTES) {
    throw invalid(
      `ipam.provide, ipam.send: ${total} bytes of options do not fit a packet; ${MAX_SENT_BYTES} is the most`,
    );
  }
}

function placeholders(
  conf: NetConf,
  { args, containerId, ifname }: Attached,
  { identity }: DhcpSettings,
): PlaceholderValues {
  const pod = podOf(args);
  return {
    pod: pod?.name,
    namespace: pod?.namespace,
    container: containerId,
    ifname,
    node: identity.node,
    network: conf.name,
  };
}

/** What was to be made from a pod and had to be made from the container, which never comes back. */
function isOfContainer(policy: ClientIdPolicy, subject: Subject): boolean {
  return (policy.kind === 'pod' || policy.kind === 'duid') && subject.kind === 'container';
}

function identityNotes(policy: ClientIdPolicy, subject: Subject): readonly ConfNote[] {
  if (!isOfContainer(policy, subject)) return [];
  const text = `clientId: the runtime names no pod (CNI_ARGS K8S_POD_NAME); "${policy.kind}" is made from the container`;
  return [{ event: 'identity-without-pod', text }];
}

/** Of the routes `priority` says what `routes.metric` does: two of them would be one too many. */
function applyPolicy(conf: NetConf, raw: JsonObject, priority: number | undefined): ApplyPolicy {
  const value = raw['routes'] ?? [];
  // A list is another plugin's key of the same name (`static`, `host-local`), which the Go plugin passes over too.
  const { use, metric, table } = Array.isArray(value) ? ALL_ROUTES : readRoutesKey(value, 'ipam.routes');
  if (metric !== undefined && priority !== undefined && priority !== 0) {
    throw invalid('ipam.priority: is the metric of the routes, as routes.metric is: remove one of them');
  }
  return {
    metric: priority === 0 ? metric : (priority ?? metric),
    routes: use,
    table,
    mtu: !statesMtu(conf),
  };
}

/** Then the link has that MTU, whatever the network says. */
function statesMtu(conf: NetConf): boolean {
  const mtu = conf.raw['mtu'];
  return typeof mtu === 'number' && mtu > 0;
}
