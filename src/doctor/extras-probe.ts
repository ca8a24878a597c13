import { fromHex, utf8 } from '../base/bytes.ts';
import { between, type Duration, type Instant, millis } from '../base/time.ts';
import { DEFAULT_REQUEST } from '../cni/dhcp/request.ts';
import { messageSize } from '../protocol/dhcp4/message-size.ts';
import type { PodExtras } from '../protocol/dhcp4/extras.ts';
import { NONCE_ALGORITHMS } from '../wire/dhcp4/authentication.ts';
import { DHCP4_OPTIONS } from '../wire/dhcp4/options.ts';
import type { ExtraAnswer, ExtraFact } from './lan-facts.ts';

/** Those of a pod whose configuration says nothing of DHCP. */
export const USUAL_EXTRAS: PodExtras = {
  parameterRequest: DEFAULT_REQUEST,
  send: {},
  rapidCommit: true,
  forceRenew: true,
};

const CODE = {
  maxMessageSize: DHCP4_OPTIONS['dhcp-max-message-size'].code,
  parameterRequestList: DHCP4_OPTIONS['dhcp-parameter-request-list'].code,
  clientIdentifier: DHCP4_OPTIONS['dhcp-client-identifier'].code,
  rapidCommit: DHCP4_OPTIONS['rapid-commit'].code,
  forceRenew: DHCP4_OPTIONS['forcerenew-nonce-capable'].code,
} as const;

/** As long as what is made from a container: a type byte 0, 64 hex digits, the names of network and interface. */
const LONG_ID_BYTES = 76;
const LONG_ID_TEXT = 'leasehold-doctor-as-a-pod';
/** Option 57 as the pods of an Ethernet send it. */
const MESSAGE_SIZE = messageSize();
/** Configured options that are asked about one by one. */
const MOST_CONFIGURED = 8;
/** More of them tell nothing new. */
const MOST_ASKS = 3;
/** Silence for so long, to a server that has answered a plain message, says something. */
const SILENCE = millis(500);

type Asked = {
  readonly codes: readonly number[];
  asks: number;
  first: Instant;
  answer: ExtraAnswer | undefined;
};

/**
 * Finds out which option it is that a message must not carry, by messages of a client that is answered without any:
 * first everything at once, and option 80 by itself, for its answer may be a lease. What goes unanswered is asked again,
 * and each option alone.
 */
export class ExtrasProbe {
  readonly #values: ReadonlyMap<number, Uint8Array>;
  readonly #rapidCommit: boolean;
  readonly #asked = new Map<string, Asked>();
  readonly #byXid = new Map<number, Asked>();

  constructor(extras: PodExtras) {
    this.#values = valuesOf(extras);
    this.#rapidCommit = extras.rapidCommit;
  }

  /** Options to ask with in this round, each a message. */
  due(now: Instant): readonly (readonly number[])[] {
    const all = [...this.#values.keys()];
    const first = [all, ...(this.#rapidCommit ? [[CODE.rapidCommit]] : [])];
    const whole = this.#asked.get(nameOf(all));
    const singly = whole !== undefined && isSilent(whole, now) ? all.map((code) => [code]) : [];
    return [...first, ...singly].filter((codes) => {
      const asked = this.#asked.get(nameOf(codes));
      return asked === undefined || (asked.answer === undefined && asked.asks < MOST_ASKS);
    });
  }

  /** The options of such a message, and their values. */
  optionsOf(codes: readonly number[]): ReadonlyMap<number, Uint8Array> {
    return new Map(codes.map((code) => [code, this.#values.get(code) ?? new Uint8Array()]));
  }

  asked(codes: readonly number[], xid: number, now: Instant): void {
    const name = nameOf(codes);
    const asked = this.#asked.get(name) ?? { codes, asks: 0, first: now, answer: undefined };
    asked.asks += 1;
    this.#asked.set(name, asked);
    this.#byXid.set(xid, asked);
  }

  /** Whether a message answers one of them. */
  isOurs(xid: number): boolean {
    return this.#byXid.has(xid);
  }

  heard(xid: number, answer: ExtraAnswer): void {
    const asked = this.#byXid.get(xid);
    if (asked !== undefined) asked.answer ??= answer;
  }

  /** Nothing more can be learned: each is answered, or was asked often enough. */
  isDone(now: Instant): boolean {
    return (
      this.due(now).length === 0 &&
      [...this.#asked.values()].every((asked) => asked.answer !== undefined || isSilent(asked, now))
    );
  }

  facts(now: Instant): readonly ExtraFact[] {
    return [...this.#asked.values()].map((asked) => ({
      codes: asked.codes,
      asks: asked.asks,
      answer: asked.answer,
      silent: isSilent(asked, now),
    }));
  }
}

function isSilent({ answer, first }: Asked, now: Instant): boolean {
  const since: Duration = between(first, now);
  return answer === undefined && since >= SILENCE;
}

function nameOf(codes: readonly number[]): string {
  return codes.join();
}

function valuesOf({ parameterRequest, send, forceRenew }: PodExtras): ReadonlyMap<number, Uint8Array> {
  const id = new Uint8Array(LONG_ID_BYTES).fill('-'.charCodeAt(0));
  id.set(utf8(`\0${LONG_ID_TEXT}`));
  const configured = Object.entries(send)
    .slice(0, MOST_CONFIGURED)
    .map(([code, hex]) => [Number(code), fromHex(hex) ?? new Uint8Array()] as const);
  return new Map([
    [CODE.parameterRequestList, Uint8Array.from(parameterRequest)],
    [CODE.maxMessageSize, Uint8Array.of(MESSAGE_SIZE >>> 8, MESSAGE_SIZE & 255)],
    [CODE.clientIdentifier, id],
    ...(forceRenew === true ? [[CODE.forceRenew, Uint8Array.from(NONCE_ALGORITHMS)] as const] : []),
    ...configured,
  ]);
}
