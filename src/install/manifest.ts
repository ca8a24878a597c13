import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts';
import { beneath } from './beneath.ts';
import type { Fingerprint } from './fingerprint.ts';
import { inside, outside } from './host-path.ts';
import { readOwnJson } from './own-json.ts';
import { keptNameOf, put } from './place.ts';

/** One thing that install has made or will make; uninstall goes through them from the last to the first. */
export type Entry =
  /** A folder that was not there; goes when it is empty. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A folder that goes with all that is in it. */
  | { readonly kind: 'tree'; readonly path: string }
  /** A file or link. `ours`: what install has put there, the newest last; `kept`: the name of what was there before. */
  | {
      readonly kind: 'item';
      readonly path: string;
      readonly ours: readonly Fingerprint[];
      readonly kept: string | null;
    };

export type Item = Extract<Entry, { kind: 'item' }>;

/** Written before anything is changed. A phase other than "installed" is one that was interrupted. */
export type Manifest = {
  readonly version: 1;
  readonly phase: 'installing' | 'installed' | 'removing';
  readonly entries: readonly Entry[];
};

const VERSION = 1;
const NAME = 'install.json';
/** What `leasehold agent` has put on the node (agent/record.ts). */
export const AGENT_RECORD = 'agent.json';
const MOST_BYTES = 1024 * 1024;
const MOST_ENTRIES = 1000;
const OWNER_ONLY = 0o600;
const OWNER_FOLDER = 0o700;

export function manifestPath(stateDir: string): string {
  return join(stateDir, NAME);
}

/**
 * Undefined when nothing is installed. Throws an Error that names the file when it is none of ours. The file has the
 * paths without `base`, the real path of `--root`: an image is booted, and undone, under another root. It may be a hostile
 * image's: an entry that lies outside of `base` is refused by its name.
 */
export function readManifest(base: string, stateDir: string): Manifest | undefined {
  const file = manifestPath(stateDir);
  const json = readOwnJson(file, MOST_BYTES, broken);
  if (json === undefined) return undefined;
  const manifest = manifestFrom(file, json);
  for (const [at, { path }] of manifest.entries.entries()) {
    const found = beneath(base, path);
    if (!found.ok) throw broken(file, `entries[${at}]: ${path} ${found.error}`);
  }
  return rebased(manifest, (path) => outside(base, path));
}

function manifestFrom(path: string, json: JsonObject): Manifest {
  if (json['version'] !== VERSION) {
    throw new Error(`${path}: was written by another version of Leasehold: use that one's uninstall`);
  }
  const { phase, entries } = json;
  if (phase !== 'installing' && phase !== 'installed' && phase !== 'removing') {
    throw broken(path, `phase: is none of its values`);
  }
  if (!Array.isArray(entries) || entries.length > MOST_ENTRIES) throw broken(path, 'entries: is no list');
  return {
    version: VERSION,
    phase,
    entries: entries.map((entry: Json, at) => {
      const read = entryFrom(entry);
      if (read === undefined) throw broken(path, `entries[${at}]: cannot be understood`);
      return read;
    }),
  };
}

function entryFrom(json: Json): Entry | undefined {
  if (!isJsonObject(json)) return undefined;
  const { kind, path, ours, kept } = json;
  if (typeof path !== 'string') return undefined;
  if (kind === 'folder' || kind === 'tree') return { kind, path };
  if (kind !== 'item' || !Array.isArray(ours)) return undefined;
  if (kept !== null && kept !== keptNameOf(path)) return undefined;
  const prints = ours.filter((print): print is string => typeof print === 'string');
  return prints.length === ours.length ? { kind, path, ours: prints, kept } : undefined;
}

function broken(path: string, what: string): Error {
  return new Error(
    `${path}: ${what}. It says what install has put where; look at it, or move it away and undo by hand`,
  );
}

function rebased(manifest: Manifest, move: (path: string) => string): Manifest {
  const entries = manifest.entries.map((entry): Entry => {
    const path = move(entry.path);
    if (entry.kind !== 'item') return { kind: entry.kind, path };
    return { ...entry, path, kept: entry.kept === null ? null : move(entry.kept) };
  });
  return { ...manifest, entries };
}

/** On the disk when this returns. */
export function writeManifest(base: string, stateDir: string, manifest: Manifest): void {
  mkdirSync(stateDir, { recursive: true, mode: OWNER_FOLDER });
  const written = rebased(manifest, (path) => inside(base, path));
  const bytes = `${JSON.stringify(written, undefined, 2)}\n`;
  put(manifestPath(stateDir), { kind: 'file', bytes, mode: OWNER_ONLY });
}

export function removeManifest(stateDir: string): void {
  rmSync(manifestPath(stateDir), { force: true });
}
