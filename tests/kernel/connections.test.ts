import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { resetConnections } from '../../src/kernel/connections.ts';
import { asRoot, makePair, Sandbox, until } from './support/sandbox.ts';

// A dual stack server in the pod, and one on the LAN; the pod has the lost address and another one.
const [LOST, OTHER, LAN] = [ipv4('192.0.2.7'), ipv4('192.0.2.8'), ipv4('192.0.2.1')];
const PORT = 7000;
const SERVE = `
  require('node:net').createServer((socket) => {
    console.log('accepted ' + socket.localAddress + ' ' + socket.remoteAddress);
    socket.on('error', ({ code }) => console.log(code + ' ' + socket.localAddress));
  }).listen(${PORT}, process.argv[1], () => console.log('ready'));`;
const CONNECT = `
  const [from, to] = process.argv.slice(1);
  const socket = require('node:net').connect({ port: ${PORT}, host: to, localAddress: from });
  socket.on('connect', () => console.log('connected'));
  socket.on('error', ({ code }) => console.log(code));`;

/** A process in a namespace, and what it says. */
function run(netns: string, code: string, ...args: readonly string[]): { lines: string[]; end: () => void } {
  const command = ['netns', 'exec', basename(netns), process.execPath, '-e', code, ...args];
  const child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  return { lines, end: () => void child.kill('SIGKILL') };
}

function give(netns: string, address: string, dev: string): void {
  execFileSync('ip', ['-n', basename(netns), 'addr', 'add', `${address}/24`, 'dev', dev]);
}

const has = (lines: readonly string[], what: string) => (): boolean =>
  lines.some((line) => line.startsWith(what));

test(
  'connections from an address are reset at both ends, over IPv4 and of dual stack servers; others are not',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('reset');
    const pair = await makePair(sandbox);
    const [left, right] = [sandbox.path('left'), sandbox.path('right')];
    give(left, LAN, 'v0');
    for (const address of [LOST, OTHER]) give(right, address, 'v1');
    const running: { readonly end: () => void }[] = [];
    const start = (...args: Parameters<typeof run>): string[] => {
      const process = run(...args);
      running.push(process);
      return process.lines;
    };
    try {
      const lan = start(left, SERVE, LAN);
      const pod = start(right, SERVE, '::');
      await until('both servers listen', () => lan.includes('ready') && pod.includes('ready'));
      const [lost, kept] = [LOST, OTHER].map((address) => start(right, CONNECT, address, LAN));
      const [toLost, toKept] = [LOST, OTHER].map((address) => start(left, CONNECT, LAN, address));
      assert.ok(lost !== undefined && kept !== undefined && toLost !== undefined && toKept !== undefined);
      for (const client of [lost, kept, toLost, toKept])
        await until('it is connected', has(client, 'connected'));
      await until('all are accepted', () => lan.length === 3 && pod.length === 3);

      assert.equal(await resetConnections(pair.right, LOST), 2);
      await until('the pod’s client hears of it', has(lost, 'ECONNABORTED'));
      await until('and its server', has(pod, 'ECONNABORTED'));
      await until(
        'the other ends, too',
        () => lan.some((line) => line.startsWith('ECONNRESET')) && toLost.includes('ECONNRESET'),
      );
      assert.deepEqual([kept, toKept], [['connected'], ['connected']]);
      assert.equal(await resetConnections(pair.right, LOST), 0, 'nothing is left, and listeners are none');
      assert.equal(await resetConnections(pair.right, OTHER), 2);
    } finally {
      for (const { end } of running) end();
    }
  },
);
