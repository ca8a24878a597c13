import type { Job } from './driver.ts';
import type { Pods } from './pods.ts';

/** Containers that never were before: `label` is in their ids, so that no server gives an old address again. */
export function jobsFor(pods: Pods, label: string, count: number, first = 0): readonly Job[] {
  return pods.paths(count, first).map((netns, at) => ({ id: `${label}-${first + at}`, netns }));
}
