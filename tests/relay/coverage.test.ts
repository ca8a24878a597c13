import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { RTM_NEWADDR } from '../../src/wire/netlink/address.ts';
import { NLMSG_DONE, NLMSG_ERROR } from '../../src/wire/netlink/message.ts';
import { makeFolder } from './support/folder.ts';
import { makeRelay } from './support/relay.ts';

// The C program's parsers under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer: inputs that reach new code are
// kept and changed further. RELAY_FUZZ_SECONDS is for all targets together.

const root = path.resolve(import.meta.dirname, '../..');
const TARGETS = ['addresses', 'answer', 'conf', 'json', 'request'] as const;
type Target = (typeof TARGETS)[number];

const SECONDS = Number(process.env['RELAY_FUZZ_SECONDS'] ?? 60);
/** Of one input: more than a page, so that lengths of two bytes occur. */
const LONGEST = 6000;
/** Of one input: what takes longer hangs. */
const SECONDS_EACH = 10;
/** Of a target, with the shadow memory of the sanitizer. */
const MOST_MIB = 1024;

/** From include/uapi/linux/{rtnetlink,if_addr}.h. */
const AF_INET = 2;
const IFA_ADDRESS = 1;

/** One message of the kernel's: a header, and what follows it. */
function netlinkMessage(type: number, body: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(16));
  header.setUint32(0, header.byteLength + body.length, true);
  header.setUint16(4, type, true);
  return Buffer.concat([new Uint8Array(header.buffer), body]);
}

const IFADDRMSG = Uint8Array.of(AF_INET, 8, 0, 0, 1, 0, 0, 0);

/** An address that lacks its last byte, at the very end. */
function shortAddress(): Uint8Array {
  const attribute = Uint8Array.of(7, 0, IFA_ADDRESS, 0, 127, 0, 0);
  return netlinkMessage(RTM_NEWADDR, Buffer.concat([IFADDRMSG, attribute]));
}

function addressDump(): Uint8Array {
  const attribute = Uint8Array.of(8, 0, IFA_ADDRESS, 0, 127, 0, 0, 1);
  return Buffer.concat([
    netlinkMessage(RTM_NEWADDR, Buffer.concat([IFADDRMSG, attribute])),
    netlinkMessage(NLMSG_ERROR, Uint8Array.of(0xf3, 0xff, 0xff, 0xff)),
    netlinkMessage(NLMSG_DONE, new Uint8Array(4)),
  ]);
}

const CONFIGURATION =
  '{"cniVersion":"1.1.0","name":"n","daemonSocketPath":"/a\\u0062","ipam":{"daemonSocketPath":"/x"},"a":[1,-2.5e3,"\\ud83d\\ude00"]}';

/** The longest path of a socket (unix(7)), which an off by one would take for one that still fits. */
const LONGEST_PATH = `{"daemonSocketPath":"/${'a'.repeat(106)}"}`;
/** A pair of surrogates in a string that is looked for. */
const SURROGATES = '{"a":"\\ud83d\\ude00"}';

/** What the search begins with. */
const SEEDS: Readonly<Record<Target, readonly (string | Uint8Array)[]>> = {
  // The second one ends without the padding that NLMSG_NEXT counts on.
  addresses: [addressDump(), netlinkMessage(RTM_NEWADDR, Uint8Array.of(AF_INET)), shortAddress()],
  answer: [
    '\u0003HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\n{}',
    '\u0003HTTP/1.0 500 x\r\n\r\n{"code":7}',
  ],
  conf: [CONFIGURATION, LONGEST_PATH, '{"cniVersion":""}'],
  json: [CONFIGURATION, SURROGATES],
  request: ['ADD\0c1\0/run/netns/c1\0eth0\0K8S_POD_NAME=a\0true\0/opt/cni/bin:bin'],
};

const DICTIONARY: Readonly<Partial<Record<Target, string>>> = {
  answer: 'answer.dict',
  conf: 'json.dict',
  json: 'json.dict',
};

function isTarget(name: string): name is Target {
  return TARGETS.some((target) => target === name);
}

type Run = { readonly code: number | null; readonly output: string };

/** Runs one target for so many seconds; inputs that fail are written into the folder. */
async function run(target: string, seconds: number, folder: string): Promise<Run> {
  const inputs = path.join(folder, 'inputs');
  await mkdir(inputs);
  const seeds = isTarget(target) ? SEEDS[target] : [];
  await Promise.all(seeds.map((seed, at) => writeFile(path.join(inputs, String(at)), seed)));
  const dictionary = isTarget(target) ? DICTIONARY[target] : undefined;
  const options = [
    `-max_total_time=${seconds}`,
    `-max_len=${LONGEST}`,
    `-timeout=${SECONDS_EACH}`,
    `-rss_limit_mb=${MOST_MIB}`,
    `-artifact_prefix=${folder}/`,
    '-print_final_stats=1',
    ...(dictionary === undefined ? [] : [`-dict=${path.join(root, 'relay/fuzz', dictionary)}`]),
  ];
  const child = spawn(path.join(root, 'dist/relay-fuzz', target), [...options, inputs], {
    env: { PATH: '/usr/bin:/bin' },
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    // The end is what says how it went.
    output = (output + text).slice(-LONGEST);
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

function executed(output: string): number {
  return Number(/stat::number_of_executed_units:\s*(\d+)/.exec(output)?.[1] ?? 0);
}

before(() => makeRelay('fuzz'));

describe('the C parsers, fuzzed by coverage', () => {
  test('a read one byte behind what has arrived is found', async () => {
    await using folder = await makeFolder();
    const { code, output } = await run('planted', SECONDS, folder.path);
    assert.notEqual(code, 0);
    assert.match(output, /AddressSanitizer: use-after-poison/);
  });

  for (const target of TARGETS) {
    test(`${target}: nothing is found`, async (t) => {
      await using folder = await makeFolder();
      const { code, output } = await run(target, Math.ceil(SECONDS / TARGETS.length), folder.path);
      t.diagnostic(`${executed(output)} inputs`);
      assert.equal(code, 0, output);
      assert.ok(executed(output) > SEEDS[target].length, output);
    });
  }
});
