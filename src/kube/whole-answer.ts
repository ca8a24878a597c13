import { type Json, parseJson } from '../base/json.ts';
import { type Duration, later, seconds } from '../base/time.ts';
import type { KubeWorld } from './ports.ts';

/** A server that is there answers in milliseconds; several addresses may have to be tried. */
const DEADLINE = seconds(15);
/** 256 objects with all that people write on them. */
const MOST_BYTES = 4 << 20;
const OK = 200;

/** Why the API gave no answer that helps. `status`: HTTP's, undefined where none came. */
export type ApiFailure = {
  readonly status: number | undefined;
  readonly why: string;
  /** What the server asked to wait for. */
  readonly retryAfter: Duration | undefined;
};

export type WholeAnswer =
  | { readonly kind: 'json'; readonly body: Json }
  | ({ readonly kind: 'failed' } & ApiFailure);

/** One GET that is answered with one JSON text of at most 4 MiB within 15 s; gives what cancels it. */
export function askWhole(world: KubeWorld, path: string, done: (answer: WholeAnswer) => void): () => void {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let status: number | undefined;
  let retryAfter: Duration | undefined;
  let over = false;
  const end = (answer: WholeAnswer): void => {
    if (over) return;
    cancel();
    done(answer);
  };
  const fail = (why: string): void => end({ kind: 'failed', status, why, retryAfter });
  const close = world.open(path, {
    head: (code, after) => {
      [status, retryAfter] = [code, after];
      if (code !== OK) fail(`status ${code}`);
    },
    data: (chunk) => {
      length += chunk.length;
      if (length > MOST_BYTES) fail(`the answer is larger than ${MOST_BYTES} bytes`);
      else chunks.push(chunk);
    },
    ended: (why) => {
      if (why !== undefined) return fail(why);
      const decoder = new TextDecoder();
      const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join('');
      const json = parseJson(text + decoder.decode());
      if (json.ok) end({ kind: 'json', body: json.value });
      else fail('the answer is no JSON');
    },
  });
  const cancelTimer = world.timers.at(later(world.clock.now(), DEADLINE), () =>
    fail('no answer within 15 s'),
  );
  const cancel = (): void => {
    over = true;
    close();
    cancelTimer();
  };
  return cancel;
}
