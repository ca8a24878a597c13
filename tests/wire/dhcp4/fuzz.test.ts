import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concat } from '../../../src/base/bytes.ts';
import {
  nonceAuthentication,
  readNonceAuthentication,
  withoutDigest,
} from '../../../src/wire/dhcp4/authentication.ts';
import {
  emitDhcp4,
  MALFORMED,
  MAX_DHCP4_BYTES,
  parseDhcp4,
  type Dhcp4Message,
} from '../../../src/wire/dhcp4/message.ts';
import { allOptions, optionByCode } from '../../../src/wire/dhcp4/options.ts';
import { anyValue } from './arbitrary.ts';
import {
  DHCLIENT_DISCOVER_FRAME,
  DNSMASQ_ACK_FRAME,
  DNSMASQ_OFFER_FRAME,
  KEA_ACK_FRAME,
  payloadOf,
} from './fixtures.ts';
import { mutate, xorshift32 } from './mutate.ts';

const PACKETS = 1_000_000;
/** Another one in each run, CI's too; it is printed, and LEASEHOLD_FUZZ_SEED repeats a run. */
const SEED = Number(process.env['LEASEHOLD_FUZZ_SEED'] ?? Date.now() % 0xffffffff);
const AUTHENTICATION = 90;
const END = Uint8Array.of(255);
const OPTIONS_AT = 240;
const FILE_AT = 108;
const OPTIONS_IN_A_SEED = 12;

function option(code: number, size: number): Uint8Array {
  return Uint8Array.of(code, size, ...new Uint8Array(size).fill(1));
}

/** Options up to the last byte that a packet may have, so that there is no place for End. */
function fullPacket(fixed: Uint8Array): Uint8Array {
  const long = Array.from({ length: 4 }, () => option(43, 255));
  const before = concat([fixed, ...long]);
  return concat([before, option(60, MAX_DHCP4_BYTES - before.length - 2)]);
}

/** Option 90 with a digest, behind one that makes its place another than the first. */
function forceRenewOf(base: Dhcp4Message): Uint8Array {
  const digest = { kind: 'digest', replay: 'ff'.repeat(8), value: new Uint8Array(16).fill(7) } as const;
  const options = new Map([
    [53, Uint8Array.of(9)],
    [AUTHENTICATION, nonceAuthentication(digest)],
  ]);
  return emitDhcp4({ ...base, op: 'reply', options });
}

/** The same with option 90, the last one, in two pieces (RFC 3396), which stand where it stood. */
function inPieces(packet: Uint8Array): Uint8Array {
  const at = packet.lastIndexOf(AUTHENTICATION);
  const size = packet[at + 1] ?? 0;
  const value = packet.subarray(at + 2, at + 2 + size);
  const half = size / 2;
  const pieces = [value.subarray(0, half), value.subarray(half)];
  const copy = Uint8Array.from(packet);
  copy.set(concat([...pieces.flatMap((piece) => [Uint8Array.of(AUTHENTICATION, half), piece]), END]), at);
  return copy;
}

/** What of option 90 is read is the same after it was written, and nothing but the digest is zeroed. */
function checkAuthentication(packet: Uint8Array, { options }: Dhcp4Message): string {
  const read = readNonceAuthentication(options);
  const zeroed = withoutDigest(packet);
  if (!read.ok) return `authentication ${read.error}`;
  assert.ok(sameBytes(nonceAuthentication(read.value), options.get(AUTHENTICATION)));
  if (zeroed === undefined) return 'authentication in pieces';
  assert.equal(zeroed.length, packet.length);
  const at = zeroed.findIndex((byte, i) => byte !== packet[i]);
  if (at >= 0) assert.ok(sameBytes(zeroed.subarray(at + 16), packet.subarray(at + 16)));
  return 'authentication read';
}

/** Real packets, and made ones that together hold every option of the table in good form. */
function seedCorpus(): readonly Uint8Array[] {
  const real = [DHCLIENT_DISCOVER_FRAME, DNSMASQ_OFFER_FRAME, DNSMASQ_ACK_FRAME, KEA_ACK_FRAME].map(
    payloadOf,
  );
  const [first = new Uint8Array(0)] = real;
  const base = parseDhcp4(first);
  assert.ok(base.ok);
  const made: Uint8Array[] = [];
  let options = new Map<number, Uint8Array>();
  for (const row of allOptions()) {
    const values = anyValue(row);
    assert.ok(values);
    const [value] = fc.sample(values, { numRuns: 1, seed: SEED });
    options.set(row.code, row.codec.encode(value));
    if (options.size === OPTIONS_IN_A_SEED) {
      made.push(emitDhcp4({ ...base.value, options }));
      options = new Map();
    }
  }
  made.push(emitDhcp4({ ...base.value, options }));
  // Long values: pieces to be joined, and packets that grow beyond the bound.
  for (const size of [500, 1200]) {
    made.push(emitDhcp4({ ...base.value, options: new Map([[121, new Uint8Array(size)]]) }));
  }
  const overloaded = emitDhcp4({ ...base.value, options: new Map([[1, Uint8Array.of(255, 0, 0, 0)]]) });
  overloaded.set([52, 1, 3, 255], OPTIONS_AT + 6);
  overloaded.set([12, 3, 97, 98, 99, 119, 6, 1, 97, 1, 98, 192, 2, 255], FILE_AT);
  made.push(overloaded);
  made.push(fullPacket(overloaded.subarray(0, OPTIONS_AT)));
  const signed = forceRenewOf(base.value);
  return [...real, ...made, signed, inPieces(signed)];
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * deepEqual by hand: a million calls of the library's would take minutes. What was contradicted in `a` is not written
 * again.
 */
function sameMessage(a: Dhcp4Message, b: Dhcp4Message): boolean {
  const { options, ...fields } = { ...a, contradicted: undefined };
  for (const [key, value] of Object.entries(fields)) {
    if (b[key as keyof typeof fields] !== value) return false;
  }
  if (options.size !== b.options.size) return false;
  for (const [code, value] of options) if (!sameBytes(value, b.options.get(code))) return false;
  return true;
}

test(`${PACKETS} mutated packets`, (t) => {
  t.diagnostic(`LEASEHOLD_FUZZ_SEED=${SEED}`);
  const random = xorshift32(SEED);
  const corpus = seedCorpus();
  const counts = new Map<string, number>();
  const count = (what: string): unknown => counts.set(what, (counts.get(what) ?? 0) + 1);
  const began = performance.now();

  for (let i = 0; i < PACKETS; i++) {
    const packet = mutate(corpus, random);
    const read = parseDhcp4(packet);
    if (!read.ok) {
      assert.ok(MALFORMED.includes(read.error), read.error);
      count(read.error);
      continue;
    }
    count('message');
    if (read.value.contradicted !== undefined) count('contradicted');
    const again = parseDhcp4(emitDhcp4(read.value));
    if (!again.ok || !sameMessage(read.value, again.value)) {
      assert.fail(`seed ${SEED}, packet ${i}: not the same after emit: ${packet.toHex()}`);
    }
    if (read.value.options.has(AUTHENTICATION)) count(checkAuthentication(packet, read.value));
    for (const [code, bytes] of read.value.options) {
      const row = optionByCode(code);
      if (row === undefined) continue;
      const value = row.codec.decode(bytes);
      count(value.ok ? 'option read' : 'option malformed');
    }
  }

  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  t.diagnostic(`${PACKETS} packets in ${seconds} s: ${[...counts].map(([k, n]) => `${k} ${n}`).join(', ')}`);
  // The mutations are of use only while they reach behind the first checks, and every reason.
  const options = ['contradicted', 'option read', 'option malformed'];
  const signed = ['read', 'malformed', 'other-method', 'in pieces'].map((what) => `authentication ${what}`);
  for (const reason of [...MALFORMED, 'message', ...options, ...signed]) {
    assert.ok((counts.get(reason) ?? 0) > 0, `no packet ended as ${reason}`);
  }
});
