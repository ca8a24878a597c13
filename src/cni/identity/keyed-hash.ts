import { createHmac } from 'node:crypto';
import type { IdentityScope, Subject } from './subject.ts';

/**
 * HMAC-SHA256 over who it is for and what for: 32 bytes, the same on every node with the same cluster and key. What
 * goes in is written as JSON, so that no two lists of texts are the same input.
 */
export function keyedHash(scope: IdentityScope, subject: Subject, purpose: readonly string[]): Uint8Array {
  const who =
    subject.kind === 'pod' ? [subject.kind, subject.within, subject.name] : [subject.kind, subject.id];
  return createHmac('sha256', scope.key)
    .update(JSON.stringify([purpose, scope.cluster, who]))
    .digest();
}
