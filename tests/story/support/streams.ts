import assert from 'node:assert/strict';
import { POD_PORT, WEB_PORT, WEB_SERVICE } from './names.ts';
import type { Stage, StagePod } from './stage.ts';
import { Stream, type StreamState } from './talk.ts';

/** The web server's pod, and one that is its client by way of the service. */
export type Pods = { readonly web: StagePod; readonly client: StagePod };

/** A client on the LAN, the node, and a pod by way of a service: each streams through a pod. */
function waysOf(stage: Stage, { web, client }: Pods) {
  const pod = { to: web.address, port: POD_PORT };
  return [
    ['LAN to pod', stage.laptop, pod],
    ['node to pod', stage.node.namespace, pod],
    ['pod to service', client.namespace, { to: WEB_SERVICE, port: WEB_PORT }],
  ] as const;
}

/**
 * Runs it while three clients stream through the pod. None of them may lose its connection, or wait longer than that
 * for an answer. Says what the longest gaps were.
 */
export async function whileStreaming(
  stage: Stage,
  pods: Pods,
  boundMs: number,
  work: () => Promise<void>,
): Promise<string> {
  const streams: (readonly [string, Stream])[] = [];
  const ends: (readonly [string, StreamState])[] = [];
  try {
    for (const [name, from, to] of waysOf(stage, pods))
      streams.push([name, await Stream.open(from, to, stage.lan)]);
    await work();
    for (const [, stream] of streams) await stream.flows();
  } finally {
    for (const [name, stream] of streams) ends.push([name, await stream.end()]);
  }
  for (const [name, { lost, longestGapMs }] of ends) {
    assert.equal(lost, undefined, name);
    assert.ok(longestGapMs < boundMs, `${name}: ${longestGapMs} ms`);
  }
  return `longest gaps: ${ends.map(([name, { longestGapMs }]) => `${name} ${longestGapMs} ms`).join(', ')}`;
}
