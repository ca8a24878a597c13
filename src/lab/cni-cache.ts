import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { JsonObject } from '../base/json.ts';
import type { Attachment } from './cni-conf.ts';
import { readIfThere } from './server.ts';

/** What a runtime remembers of an ADD until its DEL. */
export type CachedAttachment = {
  readonly network: string;
  readonly attachment: Attachment;
  readonly result: JsonObject;
};

const jsonObject = v.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);
const entrySchema = v.object({
  network: v.string(),
  attachment: v.object({
    containerId: v.string(),
    netns: v.string(),
    ifName: v.string(),
    args: v.exactOptional(v.record(v.string(), v.string())),
    capabilityArgs: v.exactOptional(jsonObject),
  }),
  result: jsonObject,
});

function parseEntry(text: string): CachedAttachment {
  return v.parse(entrySchema, JSON.parse(text));
}

function keyOf(network: string, attachment: Attachment): string {
  return `${network}-${attachment.containerId}-${attachment.ifName}`;
}

/** The results of ADDs, in memory and, with a folder, in one file each for a later process. */
export class ResultCache {
  readonly #folder: string | undefined;
  #entries: ReadonlyMap<string, CachedAttachment>;

  private constructor(folder: string | undefined, entries: ReadonlyMap<string, CachedAttachment>) {
    this.#folder = folder;
    this.#entries = entries;
  }

  static inMemory(): ResultCache {
    return new ResultCache(undefined, new Map());
  }

  /** Takes up what an earlier process left in the folder, which is made when it is not there. */
  static async inFolder(folder: string): Promise<ResultCache> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
    const texts = await Promise.all(names.map(async (name) => await readIfThere(join(folder, name))));
    // Empty: another process has detached it since the folder was listed.
    const entries = texts.filter((text) => text !== '').map((text) => parseEntry(text));
    return new ResultCache(
      folder,
      new Map(entries.map((entry) => [keyOf(entry.network, entry.attachment), entry])),
    );
  }

  get(network: string, attachment: Attachment): JsonObject | undefined {
    return this.#entries.get(keyOf(network, attachment))?.result;
  }

  list(network: string): readonly CachedAttachment[] {
    return [...this.#entries.values()].filter((entry) => entry.network === network);
  }

  async put(entry: CachedAttachment): Promise<void> {
    const key = keyOf(entry.network, entry.attachment);
    this.#entries = new Map([...this.#entries, [key, entry]]);
    if (this.#folder === undefined) return;
    const path = join(this.#folder, `${key}.json`);
    await writeFile(`${path}.tmp`, JSON.stringify(entry));
    await rename(`${path}.tmp`, path);
  }

  async delete(network: string, attachment: Attachment): Promise<void> {
    const key = keyOf(network, attachment);
    this.#entries = new Map([...this.#entries].filter(([other]) => other !== key));
    if (this.#folder !== undefined) await rm(join(this.#folder, `${key}.json`), { force: true });
  }
}
