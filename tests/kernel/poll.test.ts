import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { asRoot, Sandbox } from './support/sandbox.ts';

const CHILD = join(import.meta.dirname, 'support', 'poll-child.ts');

test(
  'a promise resolved in a handler goes on at once, not when something else wakes the loop',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('poll');
    const rtnl = sandbox.rtnl(sandbox.namespace('a'));
    await rtnl.links.set({ index: 1, up: true });
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, sandbox.path('a')]);
    assert.equal(stdout, 'at once');
  },
);
