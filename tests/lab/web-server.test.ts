import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { ask } from '../../src/lab/ask.ts';
import { namespaceName, uniquePrefix } from '../../src/lab/names.ts';
import { Namespace } from '../../src/lab/namespace.ts';
import { Resources } from '../../src/lab/resources.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { askWebServer, startWebServer } from '../../src/lab/web-servers.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';

const HOME = ipv4('127.0.0.1');
/** Takes a connection and says something that is no HTTP. */
const RUDE = `require('node:net').createServer((c) => c.end('go away\\n')).listen(82, () => console.log('ready'));`;

test(
  'a web server says who it is and whom it sees; others do not pass for one',
  { skip: NEEDS_ROOT },
  async (t) => {
    const resources = new Resources();
    t.after(async () => await resources[Symbol.asyncDispose]());
    const prefix = uniquePrefix();
    const folder = await mkdtemp(join(tmpdir(), `${prefix}-`));
    t.after(async () => await rm(folder, { recursive: true }));
    const place = await Namespace.create(namespaceName(prefix, 'web'), resources);
    const logFile = join(folder, 'log');
    await startWebServer(place, { name: "pod1's", port: 80, logFile, resources });
    assert.deepEqual(await askWebServer(place, { address: HOME, port: 80 }), { server: "pod1's", saw: HOME });
    assert.equal(await ask(place, { address: HOME, port: 81 }), undefined);

    const rude = { name: 'rude', logFile: join(folder, 'rude') };
    await place.start([process.execPath, '-e', RUDE], rude, resources);
    const there = async (): Promise<boolean> =>
      (await place.runToEnd(['bash', '--norc', '-c', ': </dev/tcp/127.0.0.1/82'])).status === 0;
    await waitFor('the rude one', there);
    assert.equal(await ask(place, { address: HOME, port: 82 }), undefined);
    // Nobody routes there: the connection is not even refused.
    assert.equal(await ask(place, { address: ipv4('192.0.2.1'), port: 80 }, { timeoutMs: 200 }), undefined);
  },
);
