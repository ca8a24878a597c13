import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, parseJson, type JsonObject } from '../../../src/base/json.ts';
import { recordFileName } from '../../../src/kernel/lease-files.ts';
import type { Pod } from '../../../src/lab/pods.ts';
import { NETWORK } from './lan.ts';
import type { Site } from './site.ts';

/** A stored record, and the name it has to have. */
export type Stored = { readonly name: string; readonly json: JsonObject };

function nameFor(containerId: string): string {
  return recordFileName(`${containerId}/${NETWORK.name}/eth0`);
}

function inLeases(site: Pick<Site, 'stateDir'>, name: string): string {
  return join(site.stateDir, 'leases', name);
}

export function readRecord(site: Pick<Site, 'stateDir'>, pod: Pod): Stored {
  const name = nameFor(pod.attachment.containerId);
  const json = parseJson(readFileSync(inLeases(site, name), 'utf8'));
  assert.ok(json.ok && isJsonObject(json.value));
  return { name, json: json.value };
}

/** As the daemon writes it. */
export function recordText({ json }: Stored): string {
  return `${JSON.stringify(json, undefined, 1)}\n`;
}

export function writeRecord(site: Pick<Site, 'stateDir'>, stored: Stored): void {
  writeFileSync(inLeases(site, stored.name), recordText(stored), { mode: 0o600 });
}

/** The same record for another container, under the name that fits. */
export function copiedFor(containerId: string, { json }: Stored): Stored {
  const key = { containerId, network: NETWORK.name, ifname: 'eth0' };
  return { name: nameFor(containerId), json: { ...json, key } };
}

export function recordNames(site: Pick<Site, 'stateDir'>): readonly string[] {
  return readdirSync(join(site.stateDir, 'leases')).sort();
}

export type Times = { readonly renewAt: number; readonly rebindAt: number; readonly expiresAt: number };

/** T1, T2 and the end, on the clock of src/kernel/clock.ts. */
export function timesOf({ json }: Stored): Times {
  const { state } = json;
  const lease = isJsonObject(state) ? state['lease'] : undefined;
  const times = isJsonObject(lease) ? lease['times'] : undefined;
  assert.ok(isJsonObject(times));
  const { renewAt, rebindAt, expiresAt } = times;
  assert.ok(typeof renewAt === 'number' && typeof rebindAt === 'number' && typeof expiresAt === 'number');
  return { renewAt, rebindAt, expiresAt };
}
