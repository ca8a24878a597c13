import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts';
import { COMMON_KEYS } from '../../cni/spec/conf.ts';
import { foldKeys } from '../../cni/spec/key-case.ts';
import { foldedKeysOf } from './known-plugins.ts';
import { type ListedPlugin, textOf } from './story.ts';

/** libcni hands a plugin its configuration with the keys of every object in the order of their bytes (InjectConf). */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const keys = Object.keys(value).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key] ?? null)]));
}

/** The type of a plugin, and its configuration as it reads it. */
export function asRead(written: JsonObject): Pick<ListedPlugin, 'type' | 'raw' | 'respelled'> {
  const plain = sorted(written);
  if (!isJsonObject(plain)) return { type: '', raw: written, respelled: [] };
  // Of these libcni itself reads what it needs, whatever the plugin.
  const { value } = foldKeys(plain, COMMON_KEYS);
  const type = textOf(value, 'type') ?? '';
  const { ipam } = value;
  const keys = foldedKeysOf(type, isJsonObject(ipam) ? textOf(ipam, 'type') : undefined);
  if (keys === undefined) return { type, raw: written, respelled: [] };
  const folded = foldKeys(plain, keys);
  return { type, raw: folded.value, respelled: folded.respelled };
}
