import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, parseJson } from '../../src/base/json.ts';

const LICENCE = /^(licen[cs]e|copying|notice)/i;

/** What a package says of its licence, and the file with its text. */
export type Licence = { readonly version: string; readonly licence: string; readonly file: string };

/** Throws an Error for a package that comes without. */
export function licenceOf(folder: string, name: string): Licence {
  const json = parseJson(readFileSync(join(folder, 'package.json'), 'utf8'));
  const about = json.ok && isJsonObject(json.value) ? json.value : {};
  const { version, license: licence } = about;
  const file = readdirSync(folder).find((one) => LICENCE.test(one));
  if (file === undefined || typeof version !== 'string' || typeof licence !== 'string')
    throw new Error(`${name}: comes without its licence`);
  return { version, licence, file: join(folder, file) };
}
