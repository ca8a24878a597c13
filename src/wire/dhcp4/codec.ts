import type { Result } from '../../base/result.ts';

/** A value; `remark` says, for a log line, what of the bytes it leaves out. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T; readonly remark?: string | undefined }
  | { readonly ok: false; readonly error: string };

/**
 * How the value of one kind of option is read and written. `decode` never throws, whatever the bytes; its error is a
 * short reason for a log line. `encode` is its inverse for every value that `decode` or `parse` gives. `parse` and
 * `format` are the same for text in configuration and on a screen.
 *
 * Methods, not function properties: their parameters are bivariant, so that a table can hold codecs of many types as
 * `Codec<unknown>` while each row keeps its own.
 */
export type Codec<T> = {
  /** For documentation and error texts: "IPv4 address list". */
  readonly kind: string;
  /**
   * Bytes of a value, where all values have the same number of them. A second option of such a code is a copy; others
   * are pieces of one long value (RFC 3396).
   */
  readonly size?: number;
  decode(bytes: Uint8Array): Decoded<T>;
  encode(value: T): Uint8Array;
  parse(text: string): Result<T, string>;
  format(value: T): string;
};

/** The type of the values of a codec. */
export type CodecValue<C> = C extends Codec<infer T> ? T : never;

/** What stands between the items of a list in configuration: commas, spaces or both. */
export function splitItems(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((item) => item !== '');
}

/** Reads every item or gives the first error. */
export function parseAll<T>(
  items: readonly string[],
  parse: (item: string) => Result<T, string>,
): Result<readonly T[], string> {
  const values: T[] = [];
  for (const item of items) {
    const value = parse(item);
    if (!value.ok) return value;
    values.push(value.value);
  }
  return { ok: true, value: values };
}
