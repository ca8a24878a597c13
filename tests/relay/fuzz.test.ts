import assert from 'node:assert/strict';
import { before, describe, test, type TestContext } from 'node:test';

import * as fc from 'fast-check';

import { answer, listenFake } from './support/fake-daemon.ts';
import { makeFolder } from './support/folder.ts';
import { FUZZ_RUNS, fuzzSeed, mutated } from './support/mutate.ts';
import { assertError, buildTestRelay, runRelay } from './support/relay.ts';

before(buildTestRelay);

const DEPTH_MAX = 64;
const PATH_MAX_BYTES = 107;
const DEFAULT_SOCKET = '/proc/leasehold-relay-tests/leasehold.sock';

const jsonTokens = [
  ...Array.from('{}[],:"\\\0\n-+.eE0'),
  '\\u0000',
  '\\ud800',
  '\\udc00',
  '\\/',
  'null',
  'true',
  '1e9',
  '\xc3\xa4',
  '\xff',
  '"a":',
  '['.repeat(70),
];

/** What a correct reader makes of the bytes: an object, or undefined when they are not one in strict UTF-8. */
function readObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (error) {
    assert.ok(error instanceof SyntaxError || error instanceof TypeError);
    return undefined;
  }
}

/** Levels of a JSON text; of the text, because JSON.parse forgets all but the last of two members with one name. */
function depth(json: string): number {
  let [level, deepest] = [0, 0];
  for (const char of json.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')) {
    if (char === '{' || char === '[') level += 1;
    if (char === '}' || char === ']') level -= 1;
    deepest = Math.max(deepest, level);
  }
  return deepest;
}

/** The socket, or undefined where the configuration's one cannot be used. */
function expectedSocket(bytes: Uint8Array): string | undefined {
  const conf = readObject(bytes);
  const value =
    conf !== undefined && Object.hasOwn(conf, 'daemonSocketPath') ? conf.daemonSocketPath : undefined;
  if (value === undefined || value === null || value === '') return DEFAULT_SOCKET;
  if (typeof value !== 'string' || !value.startsWith('/')) return undefined;
  const usable = value.isWellFormed() && !value.includes('\0') && Buffer.byteLength(value) <= PATH_MAX_BYTES;
  return usable ? value : undefined;
}

async function fuzz(
  t: TestContext,
  inputs: fc.Arbitrary<Uint8Array>,
  check: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  t.diagnostic(`RELAY_FUZZ_SEED=${fuzzSeed}`);
  await fc.assert(fc.asyncProperty(inputs, check), { numRuns: FUZZ_RUNS, seed: fuzzSeed });
}

describe('against a hostile daemon', () => {
  test('whatever it answers, the runtime reads JSON and an exit code', async (t) => {
    await using folder = await makeFolder();
    let bytes: Uint8Array = new Uint8Array();
    folder.own(await listenFake(folder.socket, { onRequest: (socket) => socket.end(bytes) }));
    const seeds = [
      answer(200, '{"ips":[]}'),
      answer(500, '{"code":7,"msg":"x"}', 'X: y'),
      'HTTP/1.1 200 OK\r\n\r\n{}',
    ].map((seed) => seed.toString('latin1'));
    const tokens = [
      ...jsonTokens,
      '\r\n',
      '\r\n\r\n',
      'Content-Length: 3\r\n',
      'HTTP/1.1 500',
      ' ',
      '\t',
      '99999999',
    ];
    await fuzz(t, mutated(seeds, tokens), async (next) => {
      bytes = next;
      // runRelay itself asserts what must hold for every call.
      await runRelay({ command: 'ADD', socket: folder.socket });
    });
  });

  test('a body is taken exactly when JSON.parse takes it as an object', async (t) => {
    await using folder = await makeFolder();
    let bytes: Uint8Array = new Uint8Array();
    folder.own(
      await listenFake(folder.socket, {
        onRequest: (socket) => socket.end(answer(200, bytes)),
      }),
    );
    const seeds = [
      '{"a":[1,-2.5e3,"\\u00e4\\n\xc3\xa4"],"b":{"c":[true,null]}}',
      '{}',
      ` ${'{"a":'.repeat(63)}{}${'}'.repeat(63)}`,
    ];
    await fuzz(t, mutated(seeds, jsonTokens), async (next) => {
      bytes = next;
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(next);
      const taken = readObject(next) !== undefined && depth(text) <= DEPTH_MAX;
      const outcome = await runRelay({ command: 'ADD', socket: folder.socket });
      if (taken) assert.deepEqual(outcome, { code: 0, stdout: text });
      else assertError(outcome, 11, /answer is/);
    });
  });
});

describe('against a hostile configuration', () => {
  test('the socket is the one that JSON.parse finds', async (t) => {
    const seeds = [
      '{"cniVersion":"1.1.0","name":"n","daemonSocketPath":"/nowhere/a\\u0062c","ipam":{"daemonSocketPath":"/x"}}',
      '{"a":{"daemonSocketPath":"/nowhere/decoy"},"b":["daemonSocketPath"]}',
      '{"daemonSocketPath":"\\/nowhere\\/\\ud83d\\ude00"}',
    ];
    const tokens = [...jsonTokens, '"daemonSocketPath":', '"/nowhere/b"', 'daemonSocketPath', ',"x":{', '},'];
    await fuzz(t, mutated(seeds, tokens), async (stdin) => {
      const expected = expectedSocket(stdin);
      const outcome = await runRelay({ command: 'ADD', stdin });
      if (expected === undefined) assertError(outcome, 7, /^daemonSocketPath must /);
      else
        assert.ok(
          assertError(outcome, 11, /./).msg.startsWith(`cannot connect to the daemon (socket ${expected})`),
        );
    });
  });
});
