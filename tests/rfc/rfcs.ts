import type { Rfc } from './clause.ts';
import { RFC_2131 } from './clauses/rfc2131.ts';
import { RFC_2132 } from './clauses/rfc2132.ts';

/** What docs/rfc.md is made of, in its order. */
export const RFCS: readonly Rfc[] = [RFC_2131, RFC_2132];
