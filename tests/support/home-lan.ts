import type { TestContext } from 'node:test';
import { HomeLan, type HomeLanOptions } from '../../src/lab/home-lan.ts';

/** Network namespaces need root; a test without them says so instead of failing. */
export const NEEDS_ROOT = process.geteuid?.() === 0 ? false : 'needs root for network namespaces';

/** A home of the test's own, removed when the test ends, however it ends. */
export async function homeLan(t: TestContext, options: HomeLanOptions = {}): Promise<HomeLan> {
  const lan = await HomeLan.create(options);
  t.after(async () => await lan[Symbol.asyncDispose]());
  return lan;
}
