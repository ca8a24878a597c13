import { rmSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { entries, readJson, resourceSchema, writeJson, type LabPaths } from './lab-state.ts';

const schema = v.object({
  name: v.string(),
  /** Texts to put things back from. */
  saved: v.record(v.string(), v.string()),
  /** What the fault brought with it. */
  resources: v.array(resourceSchema),
});

/** A fault that is there, in a file of its own: whoever heals it, or takes the lab down, knows all of it. */
export type BreakState = v.InferOutput<typeof schema>;

function fileOf(paths: LabPaths, name: string): string {
  return join(paths.breaks, `${name}.json`);
}

export function writeBreak(paths: LabPaths, state: BreakState): void {
  writeJson(fileOf(paths, state.name), state);
}

export function forgetBreak(paths: LabPaths, name: string): void {
  rmSync(fileOf(paths, name), { force: true });
}

export function readBreaks(paths: LabPaths): readonly BreakState[] {
  return entries(paths.breaks)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => readJson(schema, join(paths.breaks, name)) ?? []);
}
