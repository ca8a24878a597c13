import * as v from 'valibot';
import { isJsonObject, type Json } from '../../base/json.ts';
import { ROUTE_USES, type RouteUse } from '../../lease/record.ts';
import { anyForm, type Forms, readByType } from '../spec/by-type.ts';
import { leaves } from '../spec/key-case.ts';
import { refuseUnknownKeys } from '../spec/known-keys.ts';
import { invalid } from './option-row.ts';

/** The kernel's own tables: unspecified, default, main and local (linux/rtnetlink.h). */
const RESERVED_TABLES: readonly number[] = [0, 253, 254, 255];
const MOST = 0xffff_ffff;
/** A metric of 0 is what a route has that states none, and no table has that number. */
const LEAST = 1;

/** What becomes of the routes of a lease. */
export type RoutesKey = {
  readonly use: RouteUse;
  readonly metric: number | undefined;
  /** Undefined: the main table. */
  readonly table: number | undefined;
};

export const ALL_ROUTES: RoutesKey = { use: 'all', metric: undefined, table: undefined };

const use = v.picklist(ROUTE_USES);

const RANGE = `must be a whole number from ${LEAST} to ${MOST}`;

const wholeNumber = v.pipe(v.number(), v.integer(RANGE), v.minValue(LEAST, RANGE), v.maxValue(MOST, RANGE));

const entries = {
  use: v.optional(use, 'all'),
  metric: v.optional(wholeNumber),
  table: v.optional(
    v.pipe(
      wholeNumber,
      v.notValues(RESERVED_TABLES, "is one of the kernel's own tables (0, 253 to 255): take another number"),
    ),
  ),
};

export const ROUTES_KEYS = leaves(Object.keys(entries));

const forms: Forms<RouteUse, never, v.InferOutput<v.ObjectSchema<typeof entries, undefined>>> = {
  text: use,
  object: v.strictObject(entries),
};

/** The key `routes`, for the JSON Schema. */
export const routesSchema = anyForm(forms);

/** Reads the key `routes`. Throws CniError 7 naming it from `at` on. */
export function readRoutesKey(value: Json, at: string): RoutesKey {
  if (isJsonObject(value)) refuseUnknownKeys(value, Object.keys(entries), at);
  const read = readByType(
    forms,
    value,
    at,
    `one of ${ROUTE_USES.join(', ')}, or an object with use, metric, table`,
  );
  if (read.form !== 'object') return { ...ALL_ROUTES, use: read.value };
  const { use: used, metric, table } = read.value;
  if (used === 'none' && (metric !== undefined || table !== undefined)) {
    throw invalid(`${at}: with "use": "none" there is no route that a metric or a table could be of`);
  }
  return { use: used, metric, table };
}
