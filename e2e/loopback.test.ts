import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../src/base/json.ts';
import { addNamespace, deleteNamespace, NETNS_FOLDER } from '../src/lab/namespace-name.ts';
import { run, runToEnd } from '../src/lab/process.ts';
import { CNI_BIN } from '../tests/support/leasehold.ts';
import { program } from './support/cache.ts';

const OURS = join(CNI_BIN, 'loopback');
const GO = program('go-plugins', 'loopback');
/** With a cniVersion of its own; before 0.3.0 the Go plugin's answer has the keys of a later one (below). */
const VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];

const GO_INTERNAL = 999;

type Call = {
  readonly command: string;
  readonly conf?: JsonObject;
  readonly env?: Readonly<Record<string, string>>;
  /** As it is, instead of `conf`. */
  readonly stdin?: string;
  /** Whether `lo` is up before. */
  readonly up?: boolean;
};
type Seen = { readonly status: number; readonly answer: JsonObject | undefined; readonly up: boolean };

let made = 0;

/** Calls a plugin for a namespace that is new, under a name that is the same for both plugins. */
async function ask(plugin: string, name: string, call: Call): Promise<Seen> {
  await addNamespace(name);
  try {
    if (call.up === true) await run(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
    const conf = { cniVersion: '1.1.0', name: 'n', type: 'loopback', ...call.conf };
    const outcome = await runToEnd([plugin], {
      input: call.stdin ?? JSON.stringify(conf),
      env: {
        CNI_COMMAND: call.command,
        CNI_CONTAINERID: 'c',
        CNI_NETNS: `${NETNS_FOLDER}/${name}`,
        CNI_IFNAME: 'lo',
        CNI_PATH: CNI_BIN,
        ...call.env,
      },
    });
    const link = await run(['ip', '-n', name, 'link', 'show', 'lo']);
    return { status: outcome.status, answer: meaning(outcome.stdout), up: link.includes('<LOOPBACK,UP') };
  } finally {
    await deleteNamespace(name);
  }
}

/**
 * What a runtime reads in it: of an error its code. An IP's `version`, which 0.3.0 to 0.4.0 ask for and the Go plugin leaves
 * out, says what the address says as well; an empty `dns` says nothing.
 */
function meaning(stdout: string): JsonObject | undefined {
  if (stdout === '') return undefined;
  const json = parseJson(stdout);
  assert.ok(json.ok && isJsonObject(json.value), stdout);
  const { ips, dns, code, ...rest } = json.value;
  if (code !== undefined) return { code };
  return {
    ...rest,
    ...(Array.isArray(ips) ? { ips: ips.map(withoutVersion) } : {}),
    ...(isJsonObject(dns) && Object.keys(dns).length > 0 ? { dns } : {}),
  };
}

function withoutVersion(ip: Json): Json {
  if (!isJsonObject(ip)) return ip;
  const { version: _, ...rest } = ip;
  return rest;
}

async function both(call: Call): Promise<{ readonly ours: Seen; readonly go: Seen }> {
  const name = `lo-e2e-${process.pid}-${(made += 1)}`;
  return { ours: await ask(OURS, name, call), go: await ask(GO, name, call) };
}

const PREVIOUS = {
  interfaces: [{ name: 'eth0', sandbox: '/x' }],
  ips: [{ address: '10.0.0.2/24', interface: 0 }],
};

const SAME: Readonly<Record<string, Call>> = {
  ...Object.fromEntries(
    VERSIONS.flatMap((cniVersion): [string, Call][] => [
      [`ADD ${cniVersion}`, { command: 'ADD', conf: { cniVersion } }],
      [
        `ADD ${cniVersion} in a chain`,
        { command: 'ADD', conf: { cniVersion, prevResult: { cniVersion, ...PREVIOUS } } },
      ],
      [`DEL ${cniVersion}`, { command: 'DEL', conf: { cniVersion }, up: true }],
      [`CHECK ${cniVersion}`, { command: 'CHECK', conf: { cniVersion }, up: true }],
      [`GC ${cniVersion}`, { command: 'GC', conf: { cniVersion } }],
      [`STATUS ${cniVersion}`, { command: 'STATUS', conf: { cniVersion } }],
    ]),
  ),
  VERSION: { command: 'VERSION' },
  'ADD without a version': { command: 'ADD', stdin: '{"name":"n"}' },
  'ADD with keys in other letters': {
    command: 'ADD',
    stdin: '{"CNIVERSION":"1.0.0","NAME":"n","PrevResult":null}',
  },
  'ADD with lo up': { command: 'ADD', up: true },
  'CHECK with lo down': { command: 'CHECK' },
  'DEL with lo down': { command: 'DEL' },
  'ADD of no namespace': { command: 'ADD', env: { CNI_NETNS: '/run/netns/not-there' } },
  'DEL of no namespace': { command: 'DEL', env: { CNI_NETNS: '/run/netns/not-there' } },
  'DEL without a namespace': { command: 'DEL', env: { CNI_NETNS: '' } },
  'ADD of a file': { command: 'ADD', env: { CNI_NETNS: '/etc/passwd' } },
  'an unknown version': { command: 'ADD', conf: { cniVersion: '2.0.0' } },
  'a network without a name': { command: 'ADD', stdin: '{"cniVersion":"1.0.0"}' },
  'a prevResult that is no object': { command: 'ADD', conf: { prevResult: 7 } },
  'no JSON': { command: 'ADD', stdin: '{bad' },
  'nothing on stdin': { command: 'ADD', stdin: '' },
  'an unknown verb': { command: 'del' },
  ...Object.fromEntries(
    ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'].map((variable): [string, Call] => [
      `ADD without ${variable}`,
      { command: 'ADD', env: { [variable]: '' } },
    ]),
  ),
};

describe('loopback means what the Go plugin means:', () => {
  for (const [what, call] of Object.entries(SAME)) {
    test(what, async () => {
      const { ours, go } = await both(call);
      // Go's code for all that it has no better one for; ours has.
      const isVague = go.answer?.['code'] === GO_INTERNAL;
      assert.deepEqual(isVague ? { ...ours, answer: { code: GO_INTERNAL } } : ours, go);
      if (isVague) assert.ok(typeof ours.answer?.['code'] === 'number');
    });
  }
});

describe('loopback differs from the Go plugin on purpose:', () => {
  test('a result of 0.1.0 and 0.2.0 has the keys of that version', async () => {
    for (const cniVersion of ['0.1.0', '0.2.0']) {
      const { ours, go } = await both({ command: 'ADD', conf: { cniVersion } });
      const addresses = { ip4: { ip: '127.0.0.1/8' }, ip6: { ip: '::1/128' } };
      assert.deepEqual(ours, { status: 0, answer: { cniVersion, ...addresses }, up: true });
      assert.ok(go.answer !== undefined && 'interfaces' in go.answer);
    }
  });

  test('a cniVersion that is no string is an error in the configuration', async () => {
    const { ours, go } = await both({ command: 'ADD', conf: { cniVersion: 1 } });
    assert.deepEqual([ours.answer, go.answer], [{ code: 7 }, { code: 6 }]);
  });

  test('a DEL succeeds where a file is all that is left of the namespace', async () => {
    const { ours, go } = await both({ command: 'DEL', env: { CNI_NETNS: '/etc/passwd' } });
    assert.deepEqual([ours.status, go.status], [0, 1]);
  });
});
