import * as v from 'valibot';
import { MAX_ALTNAME_BYTES } from '../../base/ifname.ts';
import { CONFLICT_CHECKS, dhcpEntries } from '../dhcp/keys.ts';
import { provideList } from '../dhcp/provide.ts';
import { routesSchema } from '../dhcp/routes-key.ts';
import { anyForm, type Forms } from '../spec/by-type.ts';
import { quoted } from '../spec/errors.ts';

/** Words of `mode` that are understood and not built. */
export const MODES_TO_COME: readonly string[] = ['ipvlan', 'bridge'];

/** A node has a few uplinks at most, and each is looked at. */
const MOST_MASTERS = 16;
/** One for each family and a few that were added later (ServiceCIDR); each is a route in every pod. */
export const MOST_SERVICE_NETWORKS = 16;
/** The least that IPv4 works with (RFC 791 3.2), and the most that a packet has. */
const LEAST_MTU = 68;
const MOST_MTU = 65_535;

/** What the name of an interface cannot have (base/ifname.ts). */
const NOT_IN_NAME = '\\s/:%\\u0000-\\u001f\\u007f-\\u009f';
const NOT_DOTS = '(?!\\.{1,2}$)';
const NAME = new RegExp(`^${NOT_DOTS}[^*?${NOT_IN_NAME}]{1,${MAX_ALTNAME_BYTES}}$`);
const NAME_OR_PATTERN = new RegExp(`^${NOT_DOTS}[^${NOT_IN_NAME}]{1,${MAX_ALTNAME_BYTES}}$`);
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
export const IPV4_PATTERN = `${OCTET}(?:\\.${OCTET}){3}`;
/** Larger than a /8 is a slip (SERVICE_PREFIX_MIN in node/host/node-lan.ts). */
const NETWORK = `${IPV4_PATTERN}/(?:[89]|[12]\\d|3[0-2])`;
/** Six bytes, neither of a group (the lowest bit of the first byte) nor all zero. */
const MAC = '(?!00([:-]00){5}$)[0-9A-Fa-f][02468ACEace](?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})';

function text(pattern: RegExp, what: string) {
  return v.pipe(
    v.string(),
    v.regex(pattern, ({ input }) => `${quoted(input)} is not ${what}`),
  );
}

export const masterForms: Forms<string, string[], never> = {
  text: text(NAME_OR_PATTERN, 'the name of an interface, nor a pattern ("en*"), nor "auto"'),
  list: v.pipe(
    v.array(text(NAME, 'the name of an interface; a pattern stands alone')),
    v.minLength(1, 'names no interface'),
    v.maxLength(MOST_MASTERS, `names more than ${MOST_MASTERS} interfaces`),
  ),
};

export const serviceForms: Forms<string, string[], never> = {
  text: text(
    new RegExp(`^(?:auto|off|${NETWORK})$`),
    'an IPv4 network of /8 to /32 ("10.43.0.0/16"), nor "auto" nor "off"',
  ),
  list: v.pipe(
    v.array(text(new RegExp(`^${NETWORK}$`), 'an IPv4 network of /8 to /32 ("10.43.0.0/16")')),
    v.minLength(1, 'names no network: write "off"'),
    v.maxLength(MOST_SERVICE_NETWORKS, `has more than ${MOST_SERVICE_NETWORKS} networks`),
  ),
};

/** Read with one schema; the other keys have several forms. */
const plainEntries = {
  mode: v.optional(v.picklist(['macvlan'])),
  mtu: v.optional(
    v.pipe(
      v.number(),
      v.integer('must be a whole number'),
      v.minValue(LEAST_MTU, `must be ${LEAST_MTU} to ${MOST_MTU}`),
      v.maxValue(MOST_MTU, `must be ${LEAST_MTU} to ${MOST_MTU}`),
    ),
  ),
  mac: v.optional(
    text(new RegExp(`^(?:random|pod|${MAC})$`), 'a MAC address of one interface, nor "random" nor "pod"'),
  ),
  identity: v.optional(v.picklist(['container', 'pod', 'anonymous'])),
  hostAccess: v.optional(v.boolean()),
  lastHop: v.optional(v.boolean()),
  conflictCheck: v.optional(v.picklist(CONFLICT_CHECKS)),
  chained: v.optional(v.boolean()),
};

export const plainShape = v.object(plainEntries);

/** What of `dhcp` is not read elsewhere. */
export const provideShape = v.object({ provide: provideList });

/** The keys of `dhcp`: those that the daemon's configuration has too, and the Go plugin's `provide`. */
export const dhcpSectionEntries = { ...dhcpEntries, provide: provideList };

/** All keys of our own, for the JSON Schema and for the lists of keys; in the order of the page. */
export const leaseholdEntries = {
  mode: plainEntries.mode,
  master: v.optional(anyForm(masterForms)),
  mtu: plainEntries.mtu,
  mac: plainEntries.mac,
  dhcp: v.optional(v.strictObject(dhcpSectionEntries)),
  identity: plainEntries.identity,
  hostAccess: plainEntries.hostAccess,
  services: v.optional(anyForm(serviceForms)),
  lastHop: plainEntries.lastHop,
  routes: v.optional(routesSchema),
  conflictCheck: plainEntries.conflictCheck,
  chained: plainEntries.chained,
};

export type LeaseholdKey = keyof typeof leaseholdEntries;

export const LEASEHOLD_KEYS: readonly string[] = Object.keys(leaseholdEntries);
export const DHCP_SECTION_KEYS: readonly string[] = Object.keys(dhcpSectionEntries);

/** With `chained` the interface and its address are another plugin's. */
export const CHAINED_KEYS: readonly string[] = ['chained', 'hostAccess', 'services', 'lastHop'];

/** Of every plugin (CNI specification 1.1, "Plugin configuration objects" and "Deriving"). */
export const STANDARD_KEYS: readonly string[] = [
  'cniVersion',
  // Of a list; a runtime hands it on with a configuration that is one plugin alone.
  'cniVersions',
  'name',
  'type',
  'ipam',
  'dns',
  'args',
  'runtimeConfig',
  'capabilities',
  'prevResult',
];

/** What runtimes add for us (`cni.dev/valid-attachments`). */
export function isRuntimeKey(key: string): boolean {
  return key.startsWith('cni.dev/');
}
