import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { waitUntilReady } from '../../../src/lab/long-process.ts';
import type { Site } from './site.ts';

const seenSchema = v.object({
  /** Option 53 as hex: 01 DISCOVER, 03 REQUEST, 07 RELEASE. */
  type: v.optional(v.string()),
  /** When, in milliseconds of the server's life. */
  at: v.number(),
  via: v.picklist(['unicast', 'broadcast']),
  /** Source address of the datagram. */
  from: v.string(),
  chaddr: v.string(),
  xid: v.number(),
  secs: v.number(),
  broadcast: v.boolean(),
  ciaddr: v.string(),
  /** Code to hex. */
  options: v.record(v.string(), v.string()),
});

/** A message as the scripted server got it. */
export type Seen = v.InferOutput<typeof seenSchema>;

export const DISCOVER = '01';
export const REQUEST = '03';
export const RELEASE = '07';

/** A second address of the server's machine, for answers from there. */
export const OTHER_SOURCE = '192.168.2.2';

export type ScriptedServer = {
  /** What came from one MAC address, in order. */
  readonly from: (chaddr: string) => Promise<readonly Seen[]>;
};

/** Starts the scripted server on the router of a site that has no other. `usual`: what clients without a name get. */
export async function startScripted(site: Site, usual = 'good'): Promise<ScriptedServer> {
  const { router, routerAddress, resources, folder } = site.lan;
  await router.ip('addr', 'add', `${OTHER_SOURCE}/32`, 'dev', 'br0');
  // Broadcasts to 255.255.255.255 need a way out; the router has but one interface.
  await router.ip('route', 'add', '255.255.255.255/32', 'dev', 'br0');
  const logFile = join(folder, 'scripted.log');
  const script = join(import.meta.dirname, 'scripted-server.ts');
  const started = await router.start(
    [process.execPath, script, routerAddress.address, OTHER_SOURCE, usual],
    { name: 'scripted server', logFile },
    resources,
  );
  const lines = async (): Promise<readonly string[]> => (await readFile(logFile, 'utf8')).split('\n');
  await waitUntilReady(started, async () => (await lines()).includes('{"ready":true}'));
  return {
    from: async (chaddr) =>
      (await lines())
        .filter((line) => line.startsWith('{"type"') && line.endsWith('}'))
        .map((line) => v.parse(seenSchema, JSON.parse(line)))
        .filter((seen) => seen.chaddr === chaddr),
  };
}
