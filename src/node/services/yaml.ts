import { isJsonObject, type Json, parseJson } from '../../base/json.ts';

/**
 * What of YAML the files of a node need: scalars and lists of scalars, in block or flow style, and JSON, which is YAML as well.
 * Anything else is not understood, and gives nothing.
 */

/** `key: A`, `key: [A, B]` or a list below it, at the outermost level; `key+:` is how k3s adds to a list. */
export function yamlList(text: string, key: string): readonly string[] {
  const json = jsonIn(text);
  if (json !== undefined) return isJsonObject(json) ? scalarsOf(json[key]) : [];
  const lines = text.split('\n').map(withoutComment);
  const at = lines.findIndex((line) => line.startsWith(key) && /^\+?\s*:/.test(line.slice(key.length)));
  if (at < 0) return [];
  const inline = (lines[at] ?? '')
    .slice(key.length)
    .replace(/^\+?\s*:/, '')
    .trim();
  const below = lines.slice(at + 1);
  const end = below.findIndex((line) => !/^\s*-\s/.test(line));
  const items = below.slice(0, end < 0 ? below.length : end).map((line) => line.replace(/^\s*-/, ''));
  const parts = inline === '' ? items : inline.replaceAll(/^\[|\]$/g, '').split(',');
  return parts.map(unquoted).filter((part) => part !== '');
}

/** The values of a key at whatever level, each once. */
export function yamlValues(text: string, key: string): readonly string[] {
  const json = jsonIn(text);
  const values =
    json === undefined ? entriesOf(text).flatMap((entry) => valueOf(entry, key)) : valuesIn(json, key);
  return [...new Set(values.filter((value) => value !== ''))];
}

function jsonIn(text: string): Json | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  const json = parseJson(text);
  return json.ok ? json.value : undefined;
}

function valuesIn(json: Json, key: string): readonly string[] {
  if (Array.isArray(json)) return json.flatMap((item) => valuesIn(item, key));
  if (!isJsonObject(json)) return [];
  return Object.entries(json).flatMap(([name, value]) => [
    ...(name === key && !Array.isArray(value) ? scalarsOf(value) : []),
    ...valuesIn(value, key),
  ]);
}

function scalarsOf(json: Json | undefined): readonly string[] {
  if (Array.isArray(json)) return json.flatMap((item) => (Array.isArray(item) ? [] : scalarsOf(item)));
  return typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean'
    ? [String(json)]
    : [];
}

function withoutComment(line: string): string {
  return line.replace(/(^|\s)#.*$/, '').trimEnd();
}

/** A quoted scalar or a collection may begin here: at the start, behind a key, behind the dash of a list's item. */
const BEFORE_VALUE = /(?:^|:|^\s*-)\s*$/;
const FLOW_INDICATORS = '{}[],';
const QUOTES = '"\'';
const OPENS = `{[${QUOTES}`;
const QUOTED = /^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')/s;
/** Of a quoted scalar: certificates are some thousands. */
const MOST_CHARACTERS = 64 * 1024;

/** `key: value` and items, one in each, be they in lines of their own or in flow style between braces. */
function entriesOf(text: string): readonly string[] {
  const entries: string[] = [];
  let entry = '';
  let depth = 0;
  const end = (): void => {
    entries.push(entry);
    entry = '';
  };
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    const isBefore = OPENS.includes(char) && BEFORE_VALUE.test(entry);
    if (isBefore && QUOTES.includes(char)) {
      const scalar = QUOTED.exec(text.slice(at, at + MOST_CHARACTERS))?.[0] ?? char;
      entry += scalar;
      at += scalar.length - 1;
    } else if (char === '#' && /(?:^|\s)$/.test(entry)) {
      const line = text.indexOf('\n', at);
      at = (line < 0 ? text.length : line) - 1;
    } else if (FLOW_INDICATORS.includes(char) && (depth > 0 || isBefore)) {
      end();
      if ('{['.includes(char)) depth += 1;
      if ('}]'.includes(char)) depth -= 1;
    } else if (char === '\n' && depth === 0) end();
    else entry += char === '\n' ? ' ' : char;
  }
  end();
  return entries;
}

/** The value of an entry of this key, which may be quoted itself. */
function valueOf(entry: string, key: string): readonly string[] {
  const bare = entry.replace(/^\s*(?:-\s+)*/, '');
  const name = [key, `"${key}"`, `'${key}'`].find((one) => bare.startsWith(one));
  const value = name === undefined ? undefined : /^\s*:(.*)$/s.exec(bare.slice(name.length))?.[1];
  return value === undefined ? [] : [unquoted(value)];
}

function unquoted(text: string): string {
  const bare = text.trim();
  if (/^'.*'$/s.test(bare)) return bare.slice(1, -1).replaceAll("''", "'");
  if (!/^".*"$/s.test(bare)) return bare;
  const json = parseJson(bare);
  return json.ok && typeof json.value === 'string' ? json.value : bare.slice(1, -1);
}
