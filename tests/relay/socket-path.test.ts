import assert from 'node:assert/strict';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { answer, listenWith } from './support/fake-daemon.ts';
import { makeFolder } from './support/folder.ts';
import { assertError, buildTestRelay, runRelay } from './support/relay.ts';

before(buildTestRelay);

/** The test build's default (relay/Makefile). */
const DEFAULT = '/proc/leasehold-relay-tests/leasehold.sock';
const PATH_MAX_BYTES = 107;

/** The socket that an ADD with this configuration looks for, told by its error. */
async function chosen(stdin: string | Uint8Array, plugin = 'macvlan'): Promise<string | undefined> {
  const error = assertError(await runRelay({ plugin, command: 'ADD', stdin }), 11, /cannot connect/);
  return /\(socket (.*)\)/u.exec(error.msg)?.[1];
}

/** JSON text in which every character is written as \uXXXX. */
function escaped(text: string): string {
  return Array.from(
    { length: text.length },
    (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');
}

describe('the socket', () => {
  test('of the configuration is the one that is called', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, '{}'));
    const top = JSON.stringify({ daemonSocketPath: folder.socket });
    const inner = JSON.stringify({ ipam: { daemonSocketPath: folder.socket } });
    assert.equal((await runRelay({ plugin: 'macvlan', command: 'ADD', stdin: top })).code, 0);
    assert.equal((await runRelay({ plugin: 'dhcp', command: 'ADD', stdin: inner })).code, 0);
    assert.deepEqual(
      daemon.requests.map((request) => request.body),
      [top, inner],
    );
  });

  test('of LEASEHOLD_SOCKET comes first, unless it is empty', async () => {
    const stdin = '{"daemonSocketPath":"/nowhere/a"}';
    const call = { command: 'ADD', stdin };
    assertError(await runRelay({ ...call, socket: '/nowhere/b' }), 11, /\(socket \/nowhere\/b\)/);
    assertError(await runRelay({ ...call, socket: '' }), 11, /\(socket \/nowhere\/a\)/);
  });

  test('is looked for at the top, for dhcp in ipam', async () => {
    const stdin = '{"ipam":{"daemonSocketPath":"/nowhere/ipam"},"daemonSocketPath":"/nowhere/top"}';
    assert.equal(await chosen(stdin, 'dhcp'), '/nowhere/ipam');
    for (const plugin of ['leasehold', 'macvlan', 'route-override'])
      assert.equal(await chosen(stdin, plugin), '/nowhere/top');
  });

  test('is found in any case of letters, as Go reads it, but for leasehold', async () => {
    for (const stdin of [
      '{"IPAM":{"DAEMONSOCKETPATH":"/nowhere/a"}}',
      '{"ipam":{"daemon\u017Focketpath":"/nowhere/a"}}',
      '{"Ipam":{"daemonSoc\u212AetPath":"/nowhere/a"}}',
      '{"ipam":{"daemonSoc\\u212aetPath":"/nowhere/a"}}',
      '{"ipam":{"daemonSocketPath":"/nowhere/b","daemonsocketpath":"/nowhere/a"}}',
      '{"ipam":{"daemonsocketpath":"/nowhere/b","daemonSocketPath":"/nowhere/a"}}',
    ]) {
      assert.equal(await chosen(stdin, 'dhcp'), '/nowhere/a', stdin);
    }
    const top = '{"DaemonSocketPath":"/nowhere/top"}';
    assert.equal(await chosen(top, 'macvlan'), '/nowhere/top');
    assert.equal(await chosen(top, 'leasehold'), DEFAULT);
  });

  test('does not follow a decoy', async () => {
    for (const stdin of [
      '',
      '{}',
      '{"x":{"daemonSocketPath":"/nowhere/decoy"}}',
      '{"x":["daemonSocketPath","/nowhere/decoy"]}',
      '{"x":[{"daemonSocketPath":"/nowhere/decoy"}]}',
      '[{"daemonSocketPath":"/nowhere/decoy"}]',
      '"daemonSocketPath"',
      '{"x":"\\"daemonSocketPath\\":\\"/nowhere/decoy\\""}',
      '{"x":"\\\\\\",\\"daemonSocketPath\\":\\"/nowhere/decoy"}',
      '{"\\"daemonSocketPath":"/nowhere/decoy"}',
      '{"daemonSocketPath ":"/nowhere/decoy"}',
      '{"daemonSocketPathX":"/nowhere/decoy"}',
      '{"daemonSocketPath\\u0000":"/nowhere/decoy"}',
      `{"${'daemonSocketPath'.repeat(9)}":"/nowhere/decoy"}`,
      '{"ipam":{"daemonSocketPath":"/nowhere/decoy"}}',
      '{"daemonSocketPath":null}',
      '{"daemonSocketPath":""}',
    ])
      assert.equal(await chosen(stdin), DEFAULT, stdin);
    for (const stdin of [
      '{"daemonSocketPath":"/nowhere/decoy"}',
      '{"ipam":{"x":{"daemonSocketPath":"/nowhere/decoy"}}}',
      '{"ipam":[{"daemonSocketPath":"/nowhere/decoy"}]}',
      '{"ipam":"daemonSocketPath","x":"/nowhere/decoy"}',
      '{"x":{"ipam":{"daemonSocketPath":"/nowhere/decoy"}}}',
      '{"ipam":{"daemonSocketPath":"/nowhere/decoy"},"ipam":{}}',
      '{"ipam":{},"daemonSocketPath":"/nowhere/decoy"}',
    ])
      assert.equal(await chosen(stdin, 'dhcp'), DEFAULT, stdin);
  });

  test('is found through escapes, white space, and behind everything else', async () => {
    for (const [stdin, expected] of [
      ['{"daemonSocketPath":"\\/nowhere\\/\\"\\\\"}', '/nowhere/"\\'],
      [`{"${escaped('daemonSocketPath')}":"${escaped('/nowhere/u')}"}`, '/nowhere/u'],
      ['{"daemonSocketPath":"/nowhere/\\u00E4\\u20ac\\ud83D\\uDE00"}', '/nowhere/ä€😀'],
      ['{"daemonSocketPath":"/nowhere/ä€😀"}', '/nowhere/ä€😀'],
      ['{"daemonSocketPath":"/nowhere/\\b\\f\\t"}', '/nowhere/\b\f\t'],
      [' \t\r\n{ "daemonSocketPath"\n:\t"/nowhere/w" } \n', '/nowhere/w'],
      ['{"daemonSocketPath":"/nowhere/1","daemonSocketPath":"/nowhere/2"}', '/nowhere/2'],
      ['{"a":[[],{},[{"b":[1,-0.5e+3,true,false,null,""]}]],"daemonSocketPath":"/nowhere/e"}', '/nowhere/e'],
      [`{"a":${'['.repeat(10_000)}${']'.repeat(10_000)},"daemonSocketPath":"/nowhere/d"}`, '/nowhere/d'],
      [`{"a":${'{"b":'.repeat(10_000)}1${'}'.repeat(10_000)},"daemonSocketPath":"/nowhere/d"}`, '/nowhere/d'],
    ] as const)
      assert.equal(await chosen(stdin), expected, stdin.slice(0, 100));
  });

  test('is the default where the configuration is not JSON: the daemon there says what is wrong', async () => {
    const member = '"daemonSocketPath":"/nowhere/decoy"';
    for (const stdin of [
      `{${member}`,
      `{${member},}`,
      `{,${member}}`,
      `{${member}]`,
      `{${member}}{}`,
      `{${member}}\0`,
      `{${member},"x":01}`,
      `{${member},"x":1.}`,
      `{${member},"x":+1}`,
      `{${member},"x":nul}`,
      `{${member},"x":NaN}`,
      `{${member},"x":[1 2]}`,
      `{${member},"x":[1,]}`,
      `{${member},"x":{"y"}}`,
      `{${member},"x":{"y":1]}`,
      `{${member},"x":"\n"}`,
      `{${member},"x":"\0"}`,
      `{${member},"x":"\\x"}`,
      `{${member},"x":"\\\0"}`,
      `{${member},"x":"\\u12g4"}`,
      `{${member},"x":"\\`,
      `{${member},"x":'y'}`,
      `{${member} /* */}`,
      `\uFEFF{${member}}`,
      Buffer.from(`{${member},"x":"\xc3("}`, 'latin1'),
      Buffer.from(`{${member},"x":"\xed\xa0\x80"}`, 'latin1'),
      Buffer.from(`{${member},"x":"\xc0\xaf"}`, 'latin1'),
      '['.repeat(1_000_000),
      '{"a":'.repeat(200_000),
    ])
      assert.equal(await chosen(stdin), DEFAULT, stdin.toString().slice(0, 100));
  });
});

describe('a socket path that cannot be one', () => {
  for (const [value, message] of [
    ['"run/d.sock"', /must be an absolute path/],
    ['7', /must be a string/],
    ['{}', /must be a string/],
    ['["/nowhere/a"]', /must be a string/],
    ['false', /must be a string/],
    ['"/nowhere/\\u0000x"', /must not hold a NUL/],
    ['"/nowhere/\\ud800"', /must be valid Unicode/],
    ['"/nowhere/\\ud800\\u0041"', /must be valid Unicode/],
    ['"/nowhere/\\udc00"', /must be valid Unicode/],
    [JSON.stringify(`/${'x'.repeat(PATH_MAX_BYTES)}`), /must be at most 107 bytes/],
    [JSON.stringify(`/${'x'.repeat(100_000)}`), /must be at most 107 bytes/],
  ] as const) {
    test(`${value.slice(0, 40)}: code 7 names the key`, async () => {
      const top = await runRelay({ command: 'DEL', stdin: `{"daemonSocketPath":${value}}` });
      assert.match(assertError(top, 7, message).msg, /^daemonSocketPath /);
      const inner = { plugin: 'dhcp', command: 'ADD', stdin: `{"ipam":{"daemonSocketPath":${value}}}` };
      assert.match(assertError(await runRelay(inner), 7, message).msg, /^ipam\.daemonSocketPath /);
    });
  }

  test('in LEASEHOLD_SOCKET: code 4 names the variable', async () => {
    const call = { command: 'ADD', stdin: '{}' };
    assertError(
      await runRelay({ ...call, socket: 'd.sock' }),
      4,
      /^LEASEHOLD_SOCKET must be an absolute path/,
    );
    assertError(
      await runRelay({ ...call, socket: `/${'x'.repeat(107)}` }),
      4,
      /^LEASEHOLD_SOCKET must be at most/,
    );
  });

  test('107 bytes are not too long', async () => {
    await using folder = await makeFolder();
    const socket = path.join(folder.path, 'x'.repeat(PATH_MAX_BYTES - folder.path.length - 1));
    folder.own(await listenWith(socket, answer(200, '{}')));
    assert.equal(
      (await runRelay({ command: 'ADD', stdin: JSON.stringify({ daemonSocketPath: socket }) })).code,
      0,
    );
  });
});
