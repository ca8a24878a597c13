import { err, ok, type Result } from './result.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

export type JsonProblem =
  | { readonly kind: 'syntax'; readonly text: string }
  | { readonly kind: 'too-deep'; readonly limit: number };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The deepest nesting of objects and arrays, counted over the raw text without recursion. */
function depthExceeds(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === BACKSLASH) i++;
      else if (c === QUOTE) inString = false;
    } else if (c === QUOTE) {
      inString = true;
    } else if (c === 0x7b || c === 0x5b) {
      if (++depth > limit) return true;
    } else if (c === 0x7d || c === 0x5d) {
      depth--;
    }
  }
  return false;
}

/**
 * JSON.parse with a bound on nesting: what comes after (schemas, JSON.stringify) recurses, so a hostile depth would
 * end in a stack overflow far from its cause.
 */
export function parseJson(text: string, maxDepth = 64): Result<Json, JsonProblem> {
  if (depthExceeds(text, maxDepth)) return err({ kind: 'too-deep', limit: maxDepth });
  try {
    return ok(JSON.parse(text) as Json);
  } catch (error) {
    return err({ kind: 'syntax', text: error instanceof Error ? error.message : String(error) });
  }
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
