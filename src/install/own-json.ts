import { lstatSync, readFileSync } from 'node:fs';
import { hasCode } from '../base/os-error.ts';
import { isJsonObject, type JsonObject, parseJson } from '../base/json.ts';

/**
 * A JSON object that an earlier run has written; undefined where there is none. Throws what `broken` makes of a file that is no
 * such thing, and else as node:fs does.
 */
export function readOwnJson(
  path: string,
  mostBytes: number,
  broken: (path: string, what: string) => Error,
): JsonObject | undefined {
  let text: string;
  try {
    const stat = lstatSync(path);
    if (!stat.isFile() || stat.size > mostBytes) throw broken(path, 'is no small file');
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, ['ENOENT', 'ENOTDIR'])) return undefined;
    throw error;
  }
  const json = parseJson(text);
  if (!json.ok || !isJsonObject(json.value)) throw broken(path, 'is not a JSON object');
  return json.value;
}
