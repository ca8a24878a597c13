import type { Goal } from './goal.ts';
import type { Plan } from './plan.ts';
import type { Pair } from './sides.ts';

/** ADDs and DELs that failed, by the side whose plugin was asked. */
export type Failures = Pair<readonly string[]>;

/** What the report has of one section: all of it comes from what was measured, and from the plan. */
export type SectionReport<T> = {
  readonly goals: (result: T) => readonly Goal[];
  /** Markdown, from a heading of level two on. */
  readonly text: (result: T, plan: Plan) => string;
  readonly failures: (result: T) => Failures;
};

export const NO_FAILURES: Failures = { leasehold: [], go: [] };
