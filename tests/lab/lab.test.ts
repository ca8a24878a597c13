import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROGUE_PORT } from '../../src/lab/breaks/rogue-server.ts';
import { portName } from '../../src/lab/names.ts';
import { test, type TestContext } from 'node:test';
import { runLab } from '../../src/lab/lab.ts';
import type { LabParts } from '../../src/lab/lab-parts.ts';
import { PLAIN } from '../../src/lab/style.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { ROOT } from '../support/leasehold.ts';

const options = { skip: NEEDS_ROOT };

/** Answers /readyz as the daemon does and knows no leases, so that the router's lease file is asked. */
const DAEMON = `require('node:http').createServer((q, a) => { a.statusCode = q.url === '/readyz' ? 200 : 404; a.end(); })
  .listen(process.argv[1]);`;

/** A macvlan plugin in a few lines of shell that takes its address from the name of its namespace (pod1 is .11). */
const MACVLAN = `#!/bin/sh
set -eu
ns=\${CNI_NETNS##*/}
case $CNI_COMMAND in
ADD)
  n=\${ns##*-pod}
  ip link add link eth0 name "$CNI_IFNAME" netns "$ns" type macvlan mode bridge
  ip -n "$ns" addr add "192.168.2.1$n/24" dev "$CNI_IFNAME"
  ip -n "$ns" link set "$CNI_IFNAME" up
  printf '{"cniVersion":"0.3.1","ips":[{"address":"192.168.2.1%s/24","gateway":"192.168.2.1"}]}' "$n" ;;
DEL) ip -n "$ns" link del "$CNI_IFNAME" 2>/dev/null || true ;;
esac
`;

async function fakeParts(t: TestContext, plugin: string): Promise<LabParts> {
  const binDir = await mkdtemp(join(tmpdir(), `lh${process.pid}-lab-`));
  t.after(async () => await rm(binDir, { recursive: true }));
  await writeFile(join(binDir, 'macvlan'), plugin, { mode: 0o755 });
  const conflist = join(ROOT, 'examples', 'home-lab-1.conflist');
  return {
    binDir,
    conflist,
    readiness: 'http',
    doctor: () => ['echo', '{"findings":[]}'],
    daemon: ({ socket }) => [process.execPath, '-e', DAEMON, socket],
  };
}

/** Runs one command and gives its exit status and all it printed. */
async function lab(parts: LabParts, ...argv: readonly string[]): Promise<{ status: number; text: string }> {
  let text = '';
  const output = { style: PLAIN, write: (more: string) => void (text += more) };
  const status = await runLab(argv, { root: ROOT, parts, output });
  return { status, text };
}

async function namespacesOf(id: string): Promise<readonly string[]> {
  if (!existsSync('/run/netns')) return [];
  return (await readdir('/run/netns')).filter((name) => name.startsWith(`lhlab-${id}-`));
}

/** Every command below names its lab: another one on this machine is not the test's to touch. */
function idOf(text: string): string {
  const id = /\(lab ([0-9a-f]{4}),/.exec(text)?.[1];
  assert.ok(id !== undefined, text);
  return id;
}

test('a kept lab is shown, extended and taken down by its id', options, async (t) => {
  const parts = await fakeParts(t, MACVLAN);
  const up = await lab(parts, '--keep');
  const id = idOf(up.text);
  t.after(async () => {
    if ((await namespacesOf(id)).length > 0) await lab(parts, 'down', '--id', id);
  });
  assert.equal(up.status, 0, up.text);
  assert.match(up.text, /^pod1 .* 192\.168\.2\.11\/24 +192\.168\.2\.1 /m);
  assert.match(up.text, /^laptop +yes +- +yes +yes +yes +yes$/m);
  assert.match(up.text, /^node +yes +yes +- +no +no +no$/m);
  assert.match(up.text, /a macvlan child apart from the interface below/);
  const attached = await lab(parts, 'attach', 'pod4', '--id', id);
  assert.equal(attached.status, 0, attached.text);
  assert.match(attached.text, /192\.168\.2\.14\/24/);
  const again = await lab(parts, 'attach', 'pod4', '--id', id);
  assert.deepEqual([again.status, /pod4 is there already/.test(again.text)], [2, true]);
  assert.equal(
    (await lab(parts, 'shell', 'pod4', '--id', id, '--', 'ping', '-qc1', '-W1', 'router')).status,
    0,
  );
  assert.equal((await lab(parts, 'status', '--id', id)).status, 0);
  assert.match(
    (await lab(parts, 'detach', 'pod4', '--id', id)).text,
    /pod4 is gone .* it had 192\.168\.2\.14/,
  );
  assert.match((await lab(parts, 'detach', 'pod4', '--id', id)).text, /no pod pod4 in lab/);
  assert.equal((await lab(parts, 'down', '--id', id)).status, 0);
  assert.deepEqual(await namespacesOf(id), []);
  assert.ok(!existsSync(`/run/leasehold-lab-${id}`));
  assert.match((await lab(parts, 'down', '--id', id)).text, new RegExp(`no lab ${id}`));
});

test('an ADD that fails takes the lab down and says why', options, async (t) => {
  const before = new Set(await readdir('/run'));
  const failing = `#!/bin/sh\n[ $CNI_COMMAND = DEL ] || { echo '{"code":101,"msg":"nobody answered"}'; exit 1; }\n`;
  const { status, text } = await lab(await fakeParts(t, failing), '--keep');
  assert.equal(status, 1);
  assert.match(text, /plugin macvlan failed \(ADD, code 101\): nobody answered/);
  const left = (await readdir('/run')).filter(
    (name) => name.startsWith('leasehold-lab-') && !before.has(name),
  );
  // Other labs may have come up meanwhile; this one's would hold the failed pod.
  assert.deepEqual(
    left.filter((name) => existsSync(join('/run', name, 'pods', 'pod1.json'))),
    [],
  );
});

test('an interface without an address is a failure', options, async (t) => {
  const plugin = `#!/bin/sh\n[ $CNI_COMMAND = DEL ] || echo '{"cniVersion":"0.3.1"}'\n`;
  const { status, text } = await lab(await fakeParts(t, plugin));
  assert.equal(status, 1);
  assert.match(text, /pod1 did not get an address/);
});

test('a fault that cannot be made leaves nothing of itself', options, async (t) => {
  const parts = await fakeParts(t, MACVLAN);
  const id = idOf((await lab(parts, '--keep')).text);
  t.after(async () => await lab(parts, 'down', '--id', id));
  const before = await namespacesOf(id);
  // The name of the rogue's end of its cable is taken.
  const inRouter = ['shell', 'router', '--id', id, '--', 'ip', 'link'] as const;
  const port = portName('rogue', ROGUE_PORT);
  assert.equal((await lab(parts, ...inRouter, 'add', port, 'type', 'bridge')).status, 0);
  const { status, text } = await lab(parts, 'break', 'rogue-server', '--id', id);
  assert.equal(status, 1);
  assert.match(text, /File exists/);
  assert.deepEqual(await namespacesOf(id), before);
  assert.match((await lab(parts, 'heal', '--id', id)).text, /nothing is broken/);
  // dnsmasq goes on: it is asked for the name.
  const asked = await lab(parts, 'shell', 'laptop', '--id', id, '--', 'ping', '-qc1', '-W2', 'router');
  assert.equal(asked.status, 0);
  const needs = await lab(parts, 'break', 'asymmetric', '--id', id);
  assert.deepEqual([needs.status, /has the plugin "leasehold"/.test(needs.text)], [2, true]);
});

test('wrong usage is told', options, async (t) => {
  const parts = await fakeParts(t, MACVLAN);
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['fly'], /unknown command "fly"/],
    [['--fly'], /Unknown option/],
    [['attach', '--id', 'none'], /no lab none/],
    [['--conflist', '/no/such/file'], /\/no\/such\/file is not there/],
  ];
  for (const [argv, expected] of cases) {
    const { status, text } = await lab(parts, ...argv);
    assert.equal(status, 2, text);
    assert.match(text, expected);
  }
  assert.equal((await lab(parts, '--help')).status, 0);
});
