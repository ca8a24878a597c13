import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../base/os-error.ts';
import { isJsonObject, type Json, parseJson } from '../base/json.ts';
import { beneath } from './beneath.ts';
import { inside } from './host-path.ts';

/**
 * Runtimes take the first file by name that they can read (libcni's ConfFiles sorts them; containerd, CRI-O and
 * kubelet's dockershim before them do the same). "05-" is before the 10- of flannel, k3s, calico and the 87- of podman before 6, and
 * leaves 00- to 04- to meta plugins such as Multus, which call the next one.
 */
export const CONFLIST_NAME = '05-leasehold.conflist';

/** The endings that runtimes read (libcni conf.go, containerd's go-cni). */
const READ_BY_RUNTIMES = /\.(conflist|conf|json)$/;
const MOST_LISTED = 100;
const MOST_BYTES = 1024 * 1024;

/** A network configuration of the node. */
export type NetworkFile = { readonly file: string; readonly what: string };

/**
 * Those in the folder, in the order in which a runtime considers them: the first wins. A missing folder has none. `base` is the
 * real path of the root that the folder lies under: a link of an image is not followed out of it.
 */
export function networkFiles(base: string, folder: string): readonly NetworkFile[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (hasCode(error, ['ENOENT', 'ENOTDIR'])) return [];
    throw error;
  }
  return names
    .filter((name) => READ_BY_RUNTIMES.test(name))
    .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .slice(0, MOST_LISTED)
    .map((file) => ({ file, what: describe(base, join(folder, file)) }));
}

/** Lines for a person: which one wins when ours is there, and which others are there. */
export function explainOrder(files: readonly NetworkFile[], folder: string): readonly string[] {
  const names = [...new Set([...files.map(({ file }) => file), CONFLIST_NAME])].toSorted((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const others = files.filter(({ file }) => file !== CONFLIST_NAME);
  if (others.length === 0) return [`${CONFLIST_NAME} is the only network configuration in ${folder}`];
  const lines = others.map(({ file, what }) => `also in ${folder}: ${file} (${what})`);
  const [winner] = names;
  return [
    ...lines,
    winner === CONFLIST_NAME
      ? `${CONFLIST_NAME} wins: a runtime takes the first by name`
      : `${winner ?? ''} wins, not ${CONFLIST_NAME}: a runtime takes the first by name. If it is no meta plugin that calls the next one (Multus does), give it a later name`,
  ];
}

function describe(base: string, file: string): string {
  const found = beneath(base, inside(base, file), 'followed');
  if (!found.ok) return found.error;
  const path = found.value;
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > MOST_BYTES) return 'no small file';
    const json = parseJson(readFileSync(path, 'utf8'));
    if (!json.ok || !isJsonObject(json.value)) return 'not JSON: runtimes pass over it';
    const { name, plugins, type } = json.value;
    const types = Array.isArray(plugins) ? plugins.map(typeOf) : [textOf(type)];
    return `network ${textOf(name)}: ${types.join(', ')}`;
  } catch (error) {
    return `cannot be read: ${error instanceof Error ? error.message : ''}`;
  }
}

function typeOf(plugin: Json): string {
  return isJsonObject(plugin) ? textOf(plugin['type']) : '?';
}

/** Names come from a file of somebody else and go to a terminal. */
function textOf(value: Json | undefined): string {
  return typeof value === 'string' && /^[\w.-]{1,100}$/.test(value) ? value : '?';
}
