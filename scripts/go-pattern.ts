import type { JsonSchema } from '@valibot/to-json-schema';

/** "^", or "^(?:" and alternatives without groups. */
const AT_THE_START = /^\^(?:\(\?:(?:[^()]*\|)?)?$/;

/**
 * The same schema for programs written in Go (Helm), whose regular expressions know no lookahead and write code points as
 * \x{...}: each `(?!X)`, which stands at the beginning of the text everywhere here, becomes a `not` of its own.
 */
export function forGo(schema: JsonSchema): JsonSchema {
  return rewrite(schema) as JsonSchema;
}

function rewrite(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(rewrite);
  if (typeof node !== 'object' || node === null) return node;
  const whole: Record<string, unknown> = Object.fromEntries(
    Object.entries(node).map(([key, inner]) => [key, rewrite(inner)]),
  );
  const { pattern } = whole;
  if (typeof pattern !== 'string') return whole;
  const { plain, refused } = withoutLookahead(pattern);
  const goPattern = codePoints(plain);
  if (refused.length === 0) return { ...whole, pattern: goPattern };
  if ('not' in whole) throw new Error(`a lookahead beside a "not": ${pattern}`);
  return {
    ...whole,
    pattern: goPattern,
    not: { anyOf: refused.map((text) => ({ pattern: `^(?:${codePoints(text)})` })) },
  };
}

function codePoints(pattern: string): string {
  return pattern.replaceAll(/\\u([0-9a-fA-F]{4})/g, String.raw`\x{$1}`);
}

function withoutLookahead(pattern: string): { readonly plain: string; readonly refused: readonly string[] } {
  const refused: string[] = [];
  let plain = pattern;
  for (let at = plain.indexOf('(?!'); at !== -1; at = plain.indexOf('(?!')) {
    // Elsewhere it would say something else than a `not` does.
    if (!AT_THE_START.test(plain.slice(0, at))) throw new Error(`a lookahead in the middle: ${pattern}`);
    const end = closing(plain, at);
    refused.push(plain.slice(at + '(?!'.length, end));
    plain = plain.slice(0, at) + plain.slice(end + 1);
  }
  return { plain, refused };
}

/** Where the group that opens at `open` is closed. */
function closing(pattern: string, open: number): number {
  let depth = 0;
  for (let at = open; at < pattern.length; at++) {
    const char = pattern[at];
    if (char === '\\') at++;
    else if (char === '(') depth++;
    else if (char === ')' && --depth === 0) return at;
  }
  throw new Error(`a group is not closed: ${pattern}`);
}
