import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { isJsonObject, type Json, type JsonObject, parseJson } from './base/json.ts';
import { type Duration, seconds } from './base/time.ts';

const positive = v.pipe(
  v.number(),
  v.check((n) => n > 0 && n <= 86_400, 'must be more than 0 and at most 86400'),
);

const Shape = v.strictObject({
  dhcp: v.optional(
    v.strictObject({
      deadlineSeconds: v.optional(positive, 60),
      carrierWaitSeconds: v.optional(positive, 5),
      broadcast: v.optional(v.picklist(['auto', 'always', 'never']), 'auto'),
      rapidCommit: v.optional(v.boolean(), true),
    }),
    {},
  ),
});

/** What the file given with `--config` may set. */
export type DaemonConfig = {
  /** An ADD gives up after this long (60 s). */
  readonly deadline: Duration;
  /** How long an ADD waits for the carrier (5 s). */
  readonly carrierWait: Duration;
  readonly broadcast: 'auto' | 'always' | 'never';
  readonly rapidCommit: boolean;
};

/** Without a file: the defaults. Throws an Error that names file and key. */
export function loadConfig(path: string | undefined): DaemonConfig {
  const parsed = v.safeParse(Shape, path === undefined ? {} : readJsonFile(path));
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const known = Object.keys(Shape.entries.dhcp.wrapped.entries).join(', ');
    throw new Error(
      `--config ${path ?? ''}: ${v.getDotPath(issue) ?? 'the file'}: ${issue.message} (keys of "dhcp": ${known})`,
    );
  }
  const { deadlineSeconds, carrierWaitSeconds, broadcast, rapidCommit } = parsed.output.dhcp;
  return {
    deadline: seconds(deadlineSeconds),
    carrierWait: seconds(Math.min(carrierWaitSeconds, deadlineSeconds)),
    broadcast,
    rapidCommit,
  };
}

function readJsonFile(path: string): JsonObject {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`--config ${path}: cannot be read: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
  const json = parseJson(text);
  if (json.ok) return asObject(path, json.value);
  throw new Error(
    `--config ${path}: ${json.error.kind === 'syntax' ? `is not JSON: ${json.error.text}` : 'nests too deep'}`,
  );
}

/** valibot takes an array for an object. */
function asObject(path: string, json: Json): JsonObject {
  if (!isJsonObject(json)) throw new Error(`--config ${path}: must hold a JSON object`);
  if (!isJsonObject(json['dhcp'] ?? {})) throw new Error(`--config ${path}: dhcp: must be an object`);
  return json;
}
