import { viewResult, type ResultView } from './cni-result.ts';
import { podOf, type LabHandle } from './lab-handle.ts';
import type { PodState } from './lab-state.ts';

/** A pod with what its ADD gave it. */
export type PodRow = { readonly pod: PodState; readonly view: ResultView };

export function podRows(lab: LabHandle, pods: readonly PodState[]): readonly PodRow[] {
  return pods.map((pod) => {
    const result = lab.runtime.cachedResult(lab.network, podOf(lab, pod).attachment);
    return { pod, view: viewResult(result ?? {}) };
  });
}
