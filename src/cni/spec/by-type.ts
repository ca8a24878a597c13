import * as v from 'valibot';
import { isJsonObject, type Json } from '../../base/json.ts';
import { CniError } from './errors.ts';
import { readShape } from './schema.ts';

/** A value of several forms that differ in their JSON type, with a schema for each. */
export type Forms<T, L, O> = {
  readonly text: v.GenericSchema<unknown, T>;
  readonly list?: v.GenericSchema<unknown, L>;
  readonly object?: v.GenericSchema<unknown, O>;
};

export type Formed<T, L, O> =
  | { readonly form: 'text'; readonly value: T }
  | { readonly form: 'list'; readonly value: L }
  | { readonly form: 'object'; readonly value: O };

/**
 * Reads a value with the schema of the form that it has: a union of the three would only say that none fits. Throws
 * CniError 7 that names the key from `at` on; `what` completes "must be …".
 */
export function readByType<T, L, O>(
  { text, list, object }: Forms<T, L, O>,
  value: Json,
  at: string,
  what: string,
): Formed<T, L, O> {
  if (typeof value === 'string') return { form: 'text', value: read(text, value, at) };
  if (Array.isArray(value) && list !== undefined) return { form: 'list', value: read(list, value, at) };
  if (isJsonObject(value) && object !== undefined) return { form: 'object', value: read(object, value, at) };
  throw new CniError('invalid-config', `${at}: must be ${what}`);
}

function read<T>(schema: v.GenericSchema<unknown, T>, value: Json, at: string): T {
  const result = readShape(schema, value, at);
  if (!result.ok) throw result.error;
  return result.value;
}

/** Any of the forms, for the JSON Schema. */
export function anyForm<T, L, O>({ text, list, object }: Forms<T, L, O>): v.GenericSchema {
  const forms: v.GenericSchema[] = [text];
  if (list !== undefined) forms.push(list);
  if (object !== undefined) forms.push(object);
  return v.union(forms);
}
