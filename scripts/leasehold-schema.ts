import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import { CLIENT_IDENTIFIER, RESERVED_OPTIONS } from '../src/cni/dhcp/option-row.ts';
import { NOT_REQUESTED } from '../src/cni/dhcp/request.ts';
import { VALUE_TYPES } from '../src/cni/dhcp/typed-value.ts';
import { FQDN_UPDATES } from '../src/cni/identity/host-name.ts';
import { type Described, DHCP_DESCRIBED, KEYS_DESCRIBED } from '../src/cni/leasehold/described.ts';
import { CHAINED_KEYS, IPV4_PATTERN, leaseholdEntries, STANDARD_KEYS } from '../src/cni/leasehold/shape.ts';
import { CNI_VERSIONS } from '../src/cni/spec/versions.ts';
import { allOptions } from '../src/wire/dhcp4/options.ts';

export type Properties = Readonly<Record<string, JsonSchema>>;

const OPTION_NAMES = allOptions().flatMap(({ code, name, aliases }) =>
  [name, ...(aliases ?? [])].map((known) => ({ code, known })),
);
/** As libcni's version.ParseVersion reads it: up to three numbers. */
const VERSION_PATTERN = '^\\d+(\\.\\d+){0,2}$';
const OPTION_CODE = '(?:[1-9]|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-4])';
const CODE_PATTERN = `^(?:option-)?${OPTION_CODE}$`;

/** An option by name (of docs/dhcp-options.md, in small letters) or code, but for those of `without`. */
function optionName(without: ReadonlySet<number> = new Set()): JsonSchema {
  const codes = [...without].join('|');
  const allowed = OPTION_NAMES.filter(({ code }) => !without.has(code)).map(({ known }) => known);
  const code = codes === '' ? CODE_PATTERN : `^(?!(?:option-)?(?:${codes})$)${CODE_PATTERN.slice(1)}`;
  return { anyOf: [{ enum: allowed }, { type: 'string', pattern: code }] };
}

const OPTION_TO_REQUEST: JsonSchema = { $ref: '#/definitions/optionToRequest' };

function orNull(...forms: readonly JsonSchema[]): JsonSchema {
  return { anyOf: [...forms, { type: 'null' }] };
}

const CONDITION = ['if', 'then', 'else'];

/** Put together by names: an object that is written down with a "then" is taken for a promise. */
export function when(
  ...parts: readonly [condition: JsonSchema, so: JsonSchema, otherwise?: JsonSchema]
): JsonSchema {
  return Object.fromEntries(parts.map((part, at) => [CONDITION[at] ?? '', part]));
}

const NULLABLE_TEXT: JsonSchema = orNull({ type: 'string' });

/** The exchange sets some options itself; the client identifier has a key of its own. */
export const DEFINITIONS: Properties = {
  optionToRequest: optionName(NOT_REQUESTED),
  optionToProvide: optionName(RESERVED_OPTIONS),
  optionToSend: optionName(new Set([...RESERVED_OPTIONS, CLIENT_IDENTIFIER])),
};

const ADDRESSES = orNull({
  type: 'array',
  maxItems: 64,
  items: { type: 'string', pattern: `^${IPV4_PATTERN}$` },
});

/** What the schema of the code leaves to functions of its own (src/cni/dhcp/). */
export const READ_BY_HAND: Readonly<Record<string, JsonSchema>> = {
  fqdn: orNull(
    { type: 'string' },
    {
      type: 'object',
      properties: { name: { type: 'string' }, update: { enum: [...FQDN_UPDATES, null] } },
      required: ['name'],
      additionalProperties: false,
    },
  ),
  send: orNull({
    type: 'object',
    propertyNames: { $ref: '#/definitions/optionToSend' },
    additionalProperties: {
      anyOf: [
        { type: ['string', 'number', 'boolean', 'null'] },
        ...VALUE_TYPES.map((type): JsonSchema => ({
          type: 'object',
          properties: { [type]: true },
          required: [type],
          additionalProperties: false,
        })),
      ],
    },
  }),
  request: orNull({
    type: 'array',
    maxItems: 1024,
    items: {
      anyOf: [
        OPTION_TO_REQUEST,
        { type: 'integer', minimum: 1, maximum: 254, not: { enum: [...NOT_REQUESTED] } },
        {
          type: 'object',
          properties: {
            option: { anyOf: [OPTION_TO_REQUEST, { enum: ['', null] }] },
            skipDefault: { type: ['boolean', 'null'] },
          },
        },
      ],
    },
  }),
  servers: ADDRESSES,
  relays: ADDRESSES,
  provide: orNull({
    type: 'array',
    maxItems: 1024,
    items: {
      type: 'object',
      properties: {
        option: { $ref: '#/definitions/optionToProvide' },
        value: NULLABLE_TEXT,
        fromArg: NULLABLE_TEXT,
      },
      required: ['option'],
    },
  }),
};

export function described(
  properties: JsonSchema['properties'],
  texts: Readonly<Record<string, Described>>,
  instead: Readonly<Record<string, JsonSchema>> = {},
): Properties {
  return Object.fromEntries(
    Object.entries(texts).map(([key, { description, default: usual, examples }]) => {
      const own = properties?.[key];
      const form = instead[key] ?? (typeof own === 'object' ? own : {});
      const { default: _, ...rest } = form;
      const words = { description, ...(usual === undefined ? {} : { default: usual }), examples };
      // The types of this package know no readonly lists.
      return [key, { ...words, ...rest } as JsonSchema];
    }),
  );
}

const NOTHING: JsonSchema = { enum: ['', null] };

/** Beside `clientId: "anonymous"`: what would tell pods apart is not stated (src/cni/dhcp/anonymous.ts). */
export const ANONYMOUS_DHCP: Properties = {
  clientId: { enum: ['anonymous', '', null] },
  hostname: NOTHING,
  fqdn: { anyOf: [NOTHING, { type: 'object', properties: { name: { const: '' } } }] },
  send: orNull({ type: 'object', additionalProperties: { type: 'null' } }),
  request: orNull({ type: 'array', maxItems: 0 }),
  rapidCommit: { enum: [false, null] },
  forceRenew: { enum: [false, null] },
  provide: orNull({ type: 'array', maxItems: 0 }),
};

/** A `dhcp` section that says so. */
export const IS_ANONYMOUS: JsonSchema = {
  type: 'object',
  properties: { clientId: { const: 'anonymous' } },
  required: ['clientId'],
};

/** Of every plugin: docs of the CNI specification. `ipam` is none of ours. */
const STANDARD: Readonly<Record<string, JsonSchema | boolean>> = {
  cniVersion: { enum: ['', ...CNI_VERSIONS] },
  // A runtime passes over what is newer than itself.
  cniVersions: { type: 'array', items: { type: 'string', pattern: VERSION_PATTERN } },
  name: { type: 'string', pattern: '^[a-zA-Z0-9][a-zA-Z0-9_.-]*$', maxLength: 255 },
  type: { const: 'leasehold' },
  ipam: false,
  dns: { type: ['object', 'null'] },
  args: { type: ['object', 'null'] },
  runtimeConfig: { type: ['object', 'null'] },
  capabilities: { anyOf: [{ type: 'object', additionalProperties: { type: 'boolean' } }, { type: 'null' }] },
  prevResult: { type: ['object', 'null'] },
};

export function pluginSchema(): JsonSchema {
  const { properties } = toJsonSchema(v.object(leaseholdEntries), { typeMode: 'input', errorMode: 'ignore' });
  const dhcp = properties?.['dhcp'];
  const inDhcp = typeof dhcp === 'object' ? dhcp.properties : {};
  const own = described(properties, KEYS_DESCRIBED);
  return {
    title: 'A plugin of type leasehold',
    type: 'object',
    properties: {
      ...STANDARD,
      ...own,
      dhcp: { ...own['dhcp'], properties: described(inDhcp, DHCP_DESCRIBED, READ_BY_HAND) },
    },
    patternProperties: { '^cni\\.dev/': true },
    required: ['type'],
    additionalProperties: false,
    allOf: [
      when(
        { properties: { chained: { const: true } }, required: ['chained'] },
        {
          propertyNames: {
            anyOf: [
              { enum: [...STANDARD_KEYS, ...CHAINED_KEYS] },
              { type: 'string', pattern: '^cni\\.dev/' },
            ],
          },
        },
      ),
      // The profile is whole.
      when(
        {
          anyOf: [
            { properties: { identity: { const: 'anonymous' } }, required: ['identity'] },
            { properties: { dhcp: IS_ANONYMOUS }, required: ['dhcp'] },
          ],
        },
        {
          properties: {
            identity: { const: 'anonymous' },
            mac: { const: 'random' },
            dhcp: { properties: ANONYMOUS_DHCP },
          },
        },
      ),
      // In one place only.
      {
        not: {
          properties: { dhcp: { required: ['conflictCheck'] } },
          required: ['conflictCheck', 'dhcp'],
        },
      },
      // Without a route there is nothing that could have a metric or be in a table.
      {
        not: {
          properties: {
            routes: {
              type: 'object',
              properties: { use: { const: 'none' } },
              required: ['use'],
              anyOf: [{ required: ['metric'] }, { required: ['table'] }],
            },
          },
          required: ['routes'],
        },
      },
    ],
  };
}

/** Of a plugin of any type. */
export const ANY_PLUGIN: JsonSchema = {
  type: 'object',
  required: ['type'],
  properties: { type: { type: 'string' } },
  ...when({ properties: { type: { const: 'leasehold' } } }, { $ref: '#/definitions/plugin' }),
};

export function listSchema(): JsonSchema {
  return {
    title: 'A list of plugins',
    type: 'object',
    properties: {
      cniVersion: STANDARD['cniVersion'] ?? true,
      cniVersions: STANDARD['cniVersions'] ?? true,
      name: STANDARD['name'] ?? true,
      plugins: { type: 'array', minItems: 1, items: ANY_PLUGIN },
    },
    required: ['cniVersion', 'name', 'plugins'],
  };
}

/** Of a .conflist with plugins of any types, or of one plugin alone. */
export function leaseholdSchema(): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A CNI network with the plugin leasehold',
    description: 'A .conflist, or the configuration of the plugin alone. Made by scripts/generate-schema.ts.',
    ...when(
      { type: 'object', required: ['plugins'] },
      { $ref: '#/definitions/list' },
      { $ref: '#/definitions/plugin' },
    ),
    definitions: {
      ...DEFINITIONS,
      plugin: pluginSchema(),
      list: listSchema(),
    },
  };
}
