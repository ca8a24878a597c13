import * as fc from 'fast-check';

/** Number of inputs of each fuzz test; each costs one process. */
export const FUZZ_RUNS = 300;

/** The seed of this run: given with RELAY_FUZZ_SEED, or new each time. It is printed, so that a run can be repeated. */
export const fuzzSeed = Number(process.env.RELAY_FUZZ_SEED ?? Date.now() % 2 ** 31);

type Mutation = (bytes: Uint8Array) => Uint8Array;

function splice(bytes: Uint8Array, at: number, drop: number, insert: Uint8Array): Uint8Array {
  const place = bytes.length === 0 ? 0 : at % (bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + drop)]);
}

function mutation(tokens: readonly string[]): fc.Arbitrary<Mutation> {
  const place = fc.nat(1_000_000);
  const token = fc.constantFrom(...tokens).map((text) => Buffer.from(text, 'latin1'));
  return fc.oneof(
    fc.tuple(place, fc.nat(255)).map(
      ([at, byte]): Mutation =>
        (b) =>
          splice(b, at, 1, Uint8Array.of(byte)),
    ),
    fc.tuple(place, token).map(
      ([at, bytes]): Mutation =>
        (b) =>
          splice(b, at, 0, bytes),
    ),
    fc.tuple(place, token).map(
      ([at, bytes]): Mutation =>
        (b) =>
          splice(b, at, bytes.length, bytes),
    ),
    fc.tuple(place, fc.nat(9)).map(
      ([at, drop]): Mutation =>
        (b) =>
          splice(b, at, drop, new Uint8Array()),
    ),
    fc.tuple(place, place).map(
      ([at, from]): Mutation =>
        (b) =>
          splice(b, at, 0, b.subarray(from % (b.length + 1))),
    ),
    place.map(
      (at): Mutation =>
        (b) =>
          b.subarray(0, at % (b.length + 1)),
    ),
    fc.uint8Array({ maxLength: 40 }).map(
      (bytes): Mutation =>
        () =>
          bytes,
    ),
  );
}

/** One of the seeds (latin1) after up to four changes: bytes, cuts, doublings and the tokens of its language. */
export function mutated(seeds: readonly string[], tokens: readonly string[]): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(mutation(tokens), { maxLength: 4 }))
    .map(([seed, changes]) =>
      changes.reduce((bytes, change) => change(bytes), Buffer.from(seed, 'latin1') as Uint8Array),
    );
}
