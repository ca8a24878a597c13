import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import { DHCP_KEYS } from '../src/cni/dhcp/keys.ts';
import { DHCP_DESCRIBED } from '../src/cni/leasehold/described.ts';
import { dhcpSectionEntries, IPV4_PATTERN } from '../src/cni/leasehold/shape.ts';
import { MAC_POLICIES } from '../src/cni/identity/pod-mac.ts';
import {
  type configEntries,
  daemonDhcp,
  MAX_KEY,
  MAX_NAME,
  MAX_PATH,
  MAX_SECONDS,
  MOST_LAN,
  MOST_PROTECTED,
  MOST_SERVICES,
} from '../src/daemon/config.ts';
import {
  ANONYMOUS_DHCP,
  DEFINITIONS,
  described,
  IS_ANONYMOUS,
  type Properties,
  READ_BY_HAND,
  when,
} from './leasehold-schema.ts';

const ANY_NETWORK = `^${IPV4_PATTERN}/(?:[1-9]|[12]\\d|3[0-2])$`;
/** SERVICE_PREFIX_MIN in node/host/node-lan.ts. */
const NETWORK_FROM_8 = `^${IPV4_PATTERN}/(?:[89]|[12]\\d|3[0-2])$`;

const SECONDS: JsonSchema = { type: 'number', exclusiveMinimum: 0, maximum: MAX_SECONDS };

function text(maxLength: number, description: string): JsonSchema {
  return { type: 'string', minLength: 1, maxLength, description };
}

function networks(pattern: string, maxItems: number, description: string): JsonSchema {
  return { type: 'array', maxItems, items: { type: 'string', pattern }, description };
}

function object(properties: Properties, description: string): JsonSchema {
  return { type: 'object', properties: { ...properties }, additionalProperties: false, description };
}

/** The schemas of these keys, as far as valibot can say them. */
function propertiesOf(entries: v.ObjectEntries): Properties {
  const { properties } = toJsonSchema(v.object(entries), { typeMode: 'input', errorMode: 'ignore' });
  return Object.fromEntries(
    Object.entries(properties ?? {}).map(([key, form]) => [key, typeof form === 'object' ? form : {}]),
  );
}

/** The form of a key of the daemon alone, with the default that the reader has. */
function own(key: keyof typeof daemonDhcp, form: JsonSchema, description: string): JsonSchema {
  const usual = propertiesOf(daemonDhcp)[key]?.default;
  return { ...form, description, ...(usual === undefined ? {} : { default: usual }) };
}

function dhcpSchema(): JsonSchema {
  const shared = Object.entries(described(propertiesOf(dhcpSectionEntries), DHCP_DESCRIBED, READ_BY_HAND));
  const properties = object(
    {
      deadlineSeconds: own('deadlineSeconds', SECONDS, 'An ADD gives up after this long.'),
      carrierWaitSeconds: own('carrierWaitSeconds', SECONDS, 'How long an ADD waits for the carrier.'),
      mac: own(
        'mac',
        { enum: [...MAC_POLICIES] },
        'Whether each interface gets another MAC address, or a pod the same each time.',
      ),
      ...Object.fromEntries(shared.filter(([key]) => DHCP_KEYS.includes(key))),
    },
    'What is true for all networks of the node, where the network says nothing else.',
  );
  const beside: JsonSchema = { properties: { ...ANONYMOUS_DHCP, mac: { const: 'random' } } };
  return { ...properties, allOf: [when(IS_ANONYMOUS, beside)] };
}

const FORMS: Readonly<Record<keyof typeof configEntries, () => JsonSchema>> = {
  dhcp: dhcpSchema,
  identity: () =>
    object(
      {
        cluster: text(MAX_NAME, 'The name of the cluster, where several are on one LAN.'),
        key: text(
          MAX_KEY,
          "A secret that pods' MAC addresses are made with, so that nobody can foretell them.",
        ),
      },
      'Who pods are to the DHCP server.',
    ),
  protect: () =>
    networks(ANY_NETWORK, MOST_PROTECTED, 'No route and no address of a lease may lie in these networks.'),
  services: () =>
    networks(NETWORK_FROM_8, MOST_SERVICES, "The cluster's service networks; without them they are found."),
  lan: () =>
    networks(NETWORK_FROM_8, MOST_LAN, 'The networks of a LAN on which the node has no address of its own.'),
  node: () => text(MAX_NAME, "What the node is called in the cluster; without it: the machine's name."),
  kubeconfig: () => ({
    ...text(MAX_PATH, 'How the Kubernetes API is asked, where the daemon runs outside of a pod.'),
    pattern: '^/',
  }),
};

/** The keys of the daemon's file, each with its form; those in objects refer to DEFINITIONS of leasehold-schema.ts. */
export function daemonProperties(): Record<string, JsonSchema> {
  return Object.fromEntries(Object.entries(FORMS).map(([key, form]) => [key, form()]));
}

/** Of the file that `leasehold daemon --config` reads. */
export function daemonSchema(): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: "Leasehold's daemon",
    description: 'The file given with --config. Made by scripts/generate-schema.ts.',
    type: 'object',
    properties: daemonProperties(),
    additionalProperties: false,
    definitions: DEFINITIONS,
  };
}
