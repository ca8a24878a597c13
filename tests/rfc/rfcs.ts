import type { Rfc } from './clause.ts';
import { RFC_2131 } from './clauses/rfc2131.ts';
import { RFC_2132 } from './clauses/rfc2132.ts';
import { RFC_3004 } from './clauses/rfc3004.ts';
import { RFC_3203 } from './clauses/rfc3203.ts';
import { RFC_3396 } from './clauses/rfc3396.ts';
import { RFC_3397 } from './clauses/rfc3397.ts';
import { RFC_3442 } from './clauses/rfc3442.ts';
import { RFC_4039 } from './clauses/rfc4039.ts';
import { RFC_4361 } from './clauses/rfc4361.ts';
import { RFC_4436 } from './clauses/rfc4436.ts';
import { RFC_4702 } from './clauses/rfc4702.ts';
import { RFC_5227 } from './clauses/rfc5227.ts';
import { RFC_6704 } from './clauses/rfc6704.ts';
import { RFC_6842 } from './clauses/rfc6842.ts';
import { RFC_7844 } from './clauses/rfc7844.ts';
import { RFC_8925 } from './clauses/rfc8925.ts';

/** What docs/rfc.md is made of, in its order. */
export const RFCS: readonly Rfc[] = [
  RFC_2131,
  RFC_2132,
  RFC_3004,
  RFC_3203,
  RFC_3396,
  RFC_3397,
  RFC_3442,
  RFC_4039,
  RFC_4361,
  RFC_4436,
  RFC_4702,
  RFC_5227,
  RFC_6704,
  RFC_6842,
  RFC_7844,
  RFC_8925,
];
