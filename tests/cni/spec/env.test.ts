import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CniError } from '../../../src/cni/spec/errors.ts';
import { parseEnv, type CniEnv } from '../../../src/cni/spec/env.ts';

const ADD = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'cnitool-77383ca0a0715733ca6f',
  CNI_NETNS: '/run/netns/pod',
  CNI_IFNAME: 'eth0',
};

function parsed(variables: Record<string, string>): CniEnv {
  const env = parseEnv(variables);
  assert.ok(env.ok, env.ok ? '' : env.error.message);
  return env.value;
}

function messageOf(variables: Record<string, string>): string {
  const env = parseEnv(variables);
  assert.ok(!env.ok, 'must be refused');
  assert.equal(env.error.code, 4);
  return env.error.message;
}

test('an ADD as the kubelet makes it', () => {
  const args = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0';
  const env = parsed({ ...ADD, CNI_ARGS: args, CNI_PATH: '/opt/cni/bin:/usr/lib/cni', HOME: '/root' });
  assert.deepEqual(env, {
    command: 'ADD',
    containerId: 'cnitool-77383ca0a0715733ca6f',
    netns: '/run/netns/pod',
    ifname: 'eth0',
    args: {
      values: new Map([
        ['K8S_POD_NAMESPACE', 'default'],
        ['K8S_POD_NAME', 'web-0'],
      ]),
      ignoreUnknown: true,
    },
    path: ['/opt/cni/bin', '/usr/lib/cni'],
    netnsOverride: false,
  });
});

test('each command asks for the variables of the spec, and all that are missing are named at once', () => {
  assert.equal(
    messageOf({}),
    'CNI_COMMAND is not set; it must be one of ADD, DEL, CHECK, GC, STATUS, VERSION',
  );
  for (const command of ['ADD', 'CHECK']) {
    const message = messageOf({ CNI_COMMAND: command, CNI_NETNS: '' });
    assert.equal(message, `CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME are not set; ${command} needs them`);
  }
  assert.equal(messageOf({ CNI_COMMAND: 'DEL' }), 'CNI_CONTAINERID, CNI_IFNAME are not set; DEL needs them');
  assert.equal(messageOf({ CNI_COMMAND: 'GC' }), 'CNI_PATH is not set; GC needs it');
  for (const command of ['STATUS', 'VERSION'])
    assert.deepEqual(parsed({ CNI_COMMAND: command }), { command, path: [] });
});

test('a DEL needs no namespace', () => {
  const env = parsed({ ...ADD, CNI_COMMAND: 'DEL', CNI_NETNS: '' });
  assert.ok(env.command === 'DEL' && env.netns === undefined);
});

test('an unknown command is refused', () => {
  assert.match(messageOf({ ...ADD, CNI_COMMAND: 'add' }), /^CNI_COMMAND: "add" is none of ADD, DEL/);
});

test('interface names: 15 bytes, nothing that the kernel or the spec forbids', () => {
  for (const good of ['e', 'net1', 'abcdefghijklmno', 'a.b', 'eth-0']) parsed({ ...ADD, CNI_IFNAME: good });
  for (const bad of [
    'abcdefghijklmnop',
    'ä'.repeat(8),
    'a/b',
    'a:1',
    'a b',
    'a\tb',
    '.',
    '..',
    'a\u0007',
    'eth%d',
    'a\u202e',
    'a\u{e0041}',
  ]) {
    assert.match(messageOf({ ...ADD, CNI_IFNAME: bad }), /^CNI_IFNAME: /, JSON.stringify(bad));
  }
});

test('container ids: letters, digits, "_", "." and "-", of which a letter or digit is first', () => {
  for (const good of ['a', '0', 'a_b.c-d', 'A'.repeat(255)]) parsed({ ...ADD, CNI_CONTAINERID: good });
  for (const bad of ['-a', '.a', '../x', 'a/b', 'a\n', 'é', 'A'.repeat(256)]) {
    assert.match(messageOf({ ...ADD, CNI_CONTAINERID: bad }), /^CNI_CONTAINERID: /, JSON.stringify(bad));
  }
});

test('the namespace is an absolute path', () => {
  assert.match(
    messageOf({ ...ADD, CNI_NETNS: 'run/netns/x' }),
    /^CNI_NETNS: "run\/netns\/x" must be an absolute path/,
  );
  assert.match(messageOf({ ...ADD, CNI_NETNS: `/${'x'.repeat(4096)}` }), /longer than 4095/);
});

test('the namespace is the same in every process; a DEL goes without one that is not', () => {
  for (const netns of [
    '/proc/self/fd/3',
    '//proc/./self/ns/net',
    '/proc/1/../thread-self/ns/net',
    '/dev/fd/3',
  ]) {
    assert.match(messageOf({ ...ADD, CNI_NETNS: netns }), /^CNI_NETNS: ".*" is another file in each process/);
    const env = parsed({ ...ADD, CNI_COMMAND: 'DEL', CNI_NETNS: netns });
    assert.ok(env.command === 'DEL' && env.netns === undefined);
  }
  for (const netns of ['/proc/1/ns/net', '/proc/selfish', '/dev/fdx/3', '/run/proc/self']) {
    parsed({ ...ADD, CNI_NETNS: netns });
  }
});

test('every wrong variable is named in one error', () => {
  const message = messageOf({ ...ADD, CNI_IFNAME: 'a/b', CNI_CONTAINERID: '-', CNI_ARGS: 'oops' });
  for (const name of ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_ARGS'])
    assert.ok(message.includes(name), message);
});

test('relative folders of CNI_PATH are left out', () => {
  assert.deepEqual(parsed({ CNI_COMMAND: 'STATUS', CNI_PATH: './bin::/opt/cni/bin:' }).path, [
    '/opt/cni/bin',
  ]);
});

test('any record of strings is parsed or refused with code 4, and never throws', () => {
  const names = [
    'CNI_COMMAND',
    'CNI_CONTAINERID',
    'CNI_NETNS',
    'CNI_IFNAME',
    'CNI_ARGS',
    'CNI_PATH',
    '__proto__',
  ];
  const value = fc.oneof(
    fc.constantFrom('ADD', 'DEL', 'GC', 'eth0', '/run/netns/x', 'A=1;B'),
    fc.string({ unit: 'binary' }),
  );
  const variables = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), value);
  fc.assert(
    fc.property(variables, (record) => {
      const env = parseEnv(record);
      if (!env.ok)
        assert.ok(env.error instanceof CniError && env.error.code === 4 && env.error.message.length < 2000);
    }),
  );
});
