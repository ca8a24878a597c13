import assert from 'node:assert/strict';
import { fromHex } from '../../../src/base/bytes.ts';
import type { Result } from '../../../src/base/result.ts';

/** The bytes of a literal in a test. */
export function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(' ', ''));
  assert.ok(bytes, `not hex: ${text}`);
  return bytes;
}

export function valueOf<T>(result: Result<T, string>): T {
  assert.ok(result.ok, result.ok ? '' : result.error);
  return result.value;
}

export function reasonOf(result: Result<unknown, string>): string {
  assert.ok(!result.ok, 'a reason was expected, not a value');
  return result.error;
}
