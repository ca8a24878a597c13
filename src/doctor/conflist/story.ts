import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts';
import { visible } from '../../base/outside-text.ts';
import type { RespelledKey } from '../../cni/spec/key-case.ts';
import type { Finding } from '../finding.ts';
import type { ConflistNode } from './node.ts';

/** A plugin of the list, and where in the list it stands. */
export type ListedPlugin = {
  readonly type: string;
  /** As the plugin reads it: where the case of letters does not count, the keys are as they are spelled. */
  readonly raw: JsonObject;
  /** The keys that are written otherwise. */
  readonly respelled: readonly RespelledKey[];
  /** Counted from 0. */
  readonly index: number;
  readonly chain: readonly ListedPlugin[];
  /** The list's own name and version, which a runtime writes into each plugin's configuration. */
  readonly list: { readonly name: string; readonly cniVersion: string };
};

/** What a plugin of a list does, and what of it will not work. */
export type PluginStory = {
  readonly index: number;
  readonly type: string;
  /** One sentence. */
  readonly does: string;
  readonly findings: readonly Finding[];
};

/** Explains one type. */
export type Explain = (
  plugin: ListedPlugin,
  node: ConflistNode,
) => { readonly does: string; readonly findings: readonly Finding[] };

export function textOf(raw: JsonObject, key: string): string | undefined {
  const value = raw[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function ipamOf({ raw }: ListedPlugin): JsonObject | undefined {
  const { ipam } = raw;
  return isJsonObject(ipam) ? ipam : undefined;
}

export function ipamTypeOf(plugin: ListedPlugin): string | undefined {
  const ipam = ipamOf(plugin);
  return ipam === undefined ? undefined : textOf(ipam, 'type');
}

/** "ipam.type" and the like, shortened for a terminal. */
export function shown(value: Json | undefined): string {
  return visible(JSON.stringify(value) ?? 'nothing').slice(0, 80);
}
