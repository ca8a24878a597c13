import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, type Json } from '../base/json.ts';
import type { Fingerprint } from '../install/fingerprint.ts';
import { AGENT_RECORD } from '../install/manifest.ts';
import { readOwnJson } from '../install/own-json.ts';
import { put } from '../install/place.ts';
import type { Place } from './wishes.ts';

/** A file that agents have put on this node, by its name: where its folder is mounted is each agent's own. */
export type KeptFile = {
  readonly place: Place;
  readonly name: string;
  /** What was put there, the newest last. */
  readonly ours: readonly Fingerprint[];
  /** What was there before us, or came since, waits beside it. */
  readonly isKept: boolean;
};

export type AgentRecord = {
  readonly files: readonly KeptFile[];
  /** Folders that were not there. */
  readonly folders: readonly Place[];
};

export const NOTHING: AgentRecord = { files: [], folders: [] };

const VERSION = 1;
const MOST_BYTES = 256 * 1024;
const MOST_FILES = 64;
/** Versions of one file: the oldest is forgotten, and would be somebody else's if it came back. */
const MOST_PRINTS = 16;
const OWNER_ONLY = 0o600;
const OWNER_FOLDER = 0o700;
const NAME = /^[A-Za-z0-9][\w.-]{0,254}$/;

/** Nothing where no agent has run. Throws an Error that names a file that cannot be understood. */
export function readRecord(stateDir: string): AgentRecord {
  const path = join(stateDir, AGENT_RECORD);
  const json = readOwnJson(path, MOST_BYTES, broken);
  if (json === undefined) return NOTHING;
  const { version, files, folders } = json;
  if (version !== VERSION) throw broken(path, 'was written by another version of Leasehold');
  if (!Array.isArray(files) || files.length > MOST_FILES || !Array.isArray(folders)) {
    throw broken(path, 'has no lists of files and folders');
  }
  return {
    files: files.map((file) => fileFrom(file) ?? fail(broken(path, 'has a file that is none'))),
    folders: folders.map((place) => placeFrom(place) ?? fail(broken(path, 'has a folder that is none'))),
  };
}

function fileFrom(json: Json): KeptFile | undefined {
  if (!isJsonObject(json)) return undefined;
  const { name, ours, isKept } = json;
  const place = placeFrom(json['place']);
  if (place === undefined || typeof name !== 'string' || !NAME.test(name)) return undefined;
  if (!Array.isArray(ours) || typeof isKept !== 'boolean') return undefined;
  const prints = ours.filter((print): print is string => typeof print === 'string');
  return prints.length === ours.length ? { place, name, ours: prints, isKept } : undefined;
}

function placeFrom(json: Json | undefined): Place | undefined {
  return json === 'plugin' || json === 'network' ? json : undefined;
}

function fail(error: Error): never {
  throw error;
}

function broken(path: string, what: string): Error {
  return new Error(
    `${path}: ${what}. It says what the agent has put on this node; look at it, or move it away and remove that by hand`,
  );
}

export function entryOf(record: AgentRecord, place: Place, name: string): KeptFile | undefined {
  return record.files.find((file) => file.place === place && file.name === name);
}

/** With this file as one of ours, and kept or not. */
export function withFile(
  record: AgentRecord,
  { place, name }: Pick<KeptFile, 'place' | 'name'>,
  print: Fingerprint,
  isKept: boolean,
): AgentRecord {
  const old = entryOf(record, place, name);
  const ours = [...(old?.ours ?? []).filter((one) => one !== print), print].slice(-MOST_PRINTS);
  const file = { place, name, ours, isKept: isKept || old?.isKept === true };
  return { ...record, files: [...record.files.filter((one) => one !== old), file] };
}

/** On the disk when this returns. Throws as node:fs does. */
export function writeRecord(stateDir: string, record: AgentRecord): void {
  mkdirSync(stateDir, { recursive: true, mode: OWNER_FOLDER });
  const bytes = `${JSON.stringify({ version: VERSION, ...record }, undefined, 2)}\n`;
  put(join(stateDir, AGENT_RECORD), { kind: 'file', bytes, mode: OWNER_ONLY });
}

export function removeRecord(stateDir: string): void {
  rmSync(join(stateDir, AGENT_RECORD), { force: true });
}
