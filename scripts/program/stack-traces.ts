// First in the bundle: stack traces name the sources. Node's own --enable-source-maps does the same, but reads the map at the
// start and keeps 25 MB for it; here it is read when a stack is asked for, which only a bug does, and given back.
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';

const BUNDLE = import.meta.url;
const MAP = new URL(`${BUNDLE}.map`);
/** ":LINE:COLUMN", both from 1, as V8 puts them behind a file. */
const PLACE = /^:(\d+):(\d+)/;

let kept: WeakRef<SourceMap> | undefined;

function sourceMap(): SourceMap {
  const known = kept?.deref();
  if (known !== undefined) return known;
  const map = new SourceMap(
    JSON.parse(readFileSync(MAP, 'utf8')) as ConstructorParameters<typeof SourceMap>[0],
  );
  kept = new WeakRef(map);
  return map;
}

/** "main (file:///.../leasehold.mjs:7:3)" becomes "main (src/main.ts:5:2)". */
function mapped(frame: string): string {
  const at = frame.indexOf(BUNDLE);
  if (at < 0) return frame;
  const rest = frame.slice(at + BUNDLE.length);
  const [place, line, column] = PLACE.exec(rest) ?? [];
  if (place === undefined) return frame;
  const entry = sourceMap().findEntry(Number(line) - 1, Number(column) - 1);
  if (!('originalSource' in entry)) return frame;
  const { originalSource, originalLine, originalColumn } = entry;
  const source = originalSource.replace(/^(\.\.\/)+/, '');
  return `${frame.slice(0, at)}${source}:${originalLine + 1}:${originalColumn + 1}${rest.slice(place.length)}`;
}

function frameText(site: { toString(): string }): string {
  const frame = site.toString();
  try {
    return mapped(frame);
  } catch {
    // No map, or one that is not read: the bundle can be read as well.
    return frame;
  }
}

Error.prepareStackTrace = (error, sites) =>
  [String(error), ...sites.map((site) => `    at ${frameText(site)}`)].join('\n');
