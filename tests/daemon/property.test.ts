import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isJsonObject, parseJson, type Json } from '../../src/base/json.ts';
import { isRunning } from '../../src/lab/long-process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { emptySite, get, logText, openFiles, startAt, storedLeases, type Site } from './support/site.ts';

const RUNS = 400;
/** Given with LEASEHOLD_FUZZ_SEED to repeat a run. */
const SEED = Number(process.env['LEASEHOLD_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const INTERNAL = 999;
/** The daemon opens these once and keeps them: its own network namespace, and the socket that it dumps tables over. */
const OPENED_ONCE = 2;

const PLUGINS = ['macvlan', 'dhcp', 'route-override', 'leasehold'] as const;
const COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;

/** Keys that some plugin reads, so that arbitrary values reach its code. */
const KEYS =
  `cniVersion name type ipam dns args cni runtimeConfig capabilities prevResult master mode mtu mac ips
  linkInContainer bcqueuelen provide request option value fromArg skipDefault priority daemonSocketPath routes dst gw
  interfaces addroutes delroutes flushroutes flushgateway skipcheck checkRoutes sandbox address containerID ifname
  cni.dev/valid-attachments __proto__ constructor toString`.split(/\s+/);

const WORDS =
  `1.0.0 0.3.1 0.2.0 1.1.0 lan macvlan dhcp bridge eth0 lo 0x 0xff 12 host-name 02:00:5e:00:00:01 192.168.2.1
  192.168.2.1/24 0.0.0.0/0 ::/0 fe80::1/64 ../x`.split(/\s+/);

const scalar: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...WORDS),
  fc.constantFrom(null, true, false, 0, -1, 1, 254, 255, 65_536, 2 ** 53, 1e300, 0.5),
  fc.string({ maxLength: 20, unit: 'binary' }),
);

const { value: anything } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie('value'), { maxKeys: 6 }),
  ),
}));

/** Sound as far as the common keys go, so that the plugin's own are reached. */
const conf = fc
  .tuple(
    fc.constantFrom('0.2.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'),
    fc.dictionary(fc.constantFrom(...KEYS), anything, { maxKeys: 10 }),
    fc.option(fc.dictionary(fc.constantFrom(...KEYS), anything, { maxKeys: 6 }), { nil: undefined }),
  )
  .map(([cniVersion, keys, ipam]) => ({
    ...keys,
    cniVersion,
    name: 'lan',
    ...(ipam === undefined ? {} : { ipam: { ...ipam, type: 'dhcp' } }),
  }));

const call = fc.record({
  plugin: fc.constantFrom(...PLUGINS),
  command: fc.constantFrom(...COMMANDS),
  args: fc.oneof(
    fc.constant(''),
    fc.constantFrom('IP=1.2.3.4', 'MAC=x', 'IgnoreUnknown=1;K=V', ';;', 'A=B=C'),
  ),
  body: fc.oneof(
    conf.map((value) => JSON.stringify(value)),
    conf.map((value) => JSON.stringify(value)),
    anything.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary' }),
  ),
});

type Reply = { readonly status: number; readonly text: string };

type Call = {
  readonly plugin: string;
  readonly command: string;
  readonly args: string;
  readonly body: string;
};

async function post(site: Site, { plugin, command, args, body }: Call): Promise<Reply> {
  const headers = {
    'Cni-Command': command,
    'Cni-Containerid': 'a',
    // The namespace that the daemon is in: there is no pod, and nothing that it could be attached to.
    'Cni-Netns': site.namespace.path,
    'Cni-Ifname': 'eth0',
    'Cni-Path': '/nowhere',
    'Cni-Netns-Override': 'true',
    'Cni-Args': encodeURIComponent(args),
  };
  const options = { socketPath: site.socket, path: `/cni/${plugin}`, method: 'POST', agent: false, headers };
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const sent = request(options, (response) => {
    const parts: Buffer[] = [];
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('end', () =>
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }),
    );
    response.on('error', reject);
  });
  sent.on('error', reject);
  sent.end(body);
  return await promise;
}

function assertSound(reply: Reply): void {
  if (reply.status === 200) return;
  assert.equal(reply.status, 400, reply.text);
  const json = parseJson(reply.text);
  const error: Json = json.ok ? json.value : null;
  assert.ok(isJsonObject(error), reply.text);
  const { code, msg } = error;
  assert.ok(typeof code === 'number' && code > 0 && code !== INTERNAL, reply.text);
  assert.ok(typeof msg === 'string' && msg !== '' && msg.length < 2000, reply.text);
}

/** One call of each kind, so that what the daemon opens once is open. How many descriptors it has then. */
async function warmUp(site: Site, pid: number): Promise<number> {
  const atStart = openFiles(pid);
  // Without "master" the uplink is looked for in the table of routes, which is a dump.
  for (const uplink of [{ master: 'lo' }, {}]) {
    const keys = { cniVersion: '1.1.0', name: 'lan', ...uplink, ipam: { type: 'dhcp' } };
    const body = JSON.stringify(keys);
    for (const plugin of PLUGINS) {
      for (const command of COMMANDS) assertSound(await post(site, { plugin, command, args: '', body }));
    }
  }
  // A leak in these very calls must not pass for something that is opened once.
  await waitFor('the warm-up to be closed', () => openFiles(pid) <= atStart + OPENED_ONCE);
  return openFiles(pid);
}

test('no configuration makes an internal error or moves the daemon', { skip: NEEDS_ROOT }, async (t) => {
  t.diagnostic(`LEASEHOLD_FUZZ_SEED=${SEED}`);
  const site = await emptySite(t);
  const daemon = await startAt(site);
  const files = await warmUp(site, daemon.pid);
  await fc.assert(
    fc.asyncProperty(call, async (made) => {
      assertSound(await post(site, made));
      assert.ok(isRunning(daemon));
    }),
    { numRuns: RUNS, seed: SEED },
  );
  assert.deepEqual((await get(site.socket, '/v1/leases')).json, []);
  assert.deepEqual(await storedLeases(site.stateDir), []);
  await waitFor('the descriptors to be closed', () => openFiles(daemon.pid) <= files);
  assert.doesNotMatch(logText(site), /unexpected error/);
});
