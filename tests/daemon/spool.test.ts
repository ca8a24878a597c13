import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { executionConf } from '../../src/lab/cni-conf.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import {
  addPod,
  addVariables,
  assertNothingLeft,
  hasAddress,
  lanSite,
  linksOf,
  NETWORK,
  newPod,
  serverHas,
  waitUntilReleased,
} from './support/lan.ts';
import { emptySite, endBy, get, logText, startAt } from './support/site.ts';
import { makeSpool, spool, spooledRequest, spoolEntries, spoolOf } from './support/spooled.ts';

const options = { skip: NEEDS_ROOT };
const [PLUGIN] = NETWORK.plugins;
const CONF = PLUGIN === undefined ? '' : executionConf(NETWORK, PLUGIN, {});

function isCniError(code: number, message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof CniPluginError);
    assert.equal(error.code, code);
    assert.match(`${error.msg} ${error.details}`, message);
    return true;
  };
}

test('while the daemon is away: who needs an answer hears what to start', options, async (t) => {
  const site = await lanSite(t);
  const daemon = await startAt(site);
  const { pod } = await addPod(site, 'pod');
  await endBy(daemon, 'SIGTERM');
  const start = new RegExp(`as root with \`leasehold daemon --socket ${site.socket}`);
  const other = await newPod(site, 'other');
  await assert.rejects(
    site.runtime.add(NETWORK, other.attachment, { delOnFailure: false }),
    isCniError(11, start),
  );
  await assert.rejects(site.runtime.check(NETWORK, pod.attachment), isCniError(11, start));
  await assert.rejects(site.runtime.status(NETWORK), isCniError(50, start));
  assert.deepEqual((await site.runtime.version('macvlan')).at(-1), '1.1.0');
  assert.deepEqual(await linksOf(other), ['lo']);
});

test('DEL and GC succeed while it is away, and are done before it is ready', options, async (t) => {
  const site = await lanSite(t);
  const daemon = await startAt(site);
  const stays = await addPod(site, 'stays');
  const deleted = await addPod(site, 'deleted');
  const forgotten = await addPod(site, 'forgotten');
  await endBy(daemon, 'SIGKILL');

  await site.runtime.del(NETWORK, deleted.pod.attachment);
  // A runtime that has lost its cache, so that only the GC itself can find the forgotten one.
  await spool(
    site,
    spooledRequest(
      { CNI_COMMAND: 'GC', CNI_PATH: '/nowhere' },
      JSON.stringify({
        ...(JSON.parse(CONF) as object),
        'cni.dev/valid-attachments': [
          { containerID: stays.pod.attachment.containerId, ifname: stays.pod.attachment.ifName },
        ],
      }),
    ),
  );
  assert.equal((await spoolEntries(site)).length, 2);
  assert.ok((await serverHas(site, deleted.address)) && (await serverHas(site, forgotten.address)));

  await startAt(site);
  assert.deepEqual(await spoolEntries(site), []);
  assert.deepEqual(await linksOf(deleted.pod), ['lo']);
  assert.deepEqual(await linksOf(forgotten.pod), ['lo']);
  await waitUntilReleased(site, deleted.address);
  await waitUntilReleased(site, forgotten.address);
  assert.ok(await hasAddress(stays.pod, stays.address));
  await site.runtime.check(NETWORK, stays.pod.attachment);
  assert.match(logText(site), /"settled":2/);
  await site.runtime.del(NETWORK, stays.pod.attachment);
  await assertNothingLeft(site, stays.pod);
});

test('a DEL of a pod whose namespace went away with the daemon is settled too', options, async (t) => {
  const site = await lanSite(t);
  const daemon = await startAt(site);
  const { pod } = await addPod(site, 'pod');
  await endBy(daemon, 'SIGTERM');
  await site.runtime.del(NETWORK, pod.attachment);
  for (const resource of site.resources.made) {
    if (resource.kind === 'namespace' && resource.name === pod.namespace.name)
      await site.resources.remove(resource);
  }
  await startAt(site);
  assert.deepEqual(await spoolEntries(site), []);
  assert.deepEqual((await get(site.socket, '/v1/leases')).json, []);
});

test('a relay that gave up just before the daemon was ready is heard just after', options, async (t) => {
  const site = await lanSite(t);
  await startAt(site);
  const { pod, address } = await addPod(site, 'pod');
  await spool(site, spooledRequest({ ...addVariables(pod), CNI_COMMAND: 'DEL' }, CONF));
  await waitUntilReleased(site, address);
  await waitFor('the spool to be empty', async () => (await spoolEntries(site)).length === 0);
  await assertNothingLeft(site, pod);
});

test('what no relay writes is dropped and named, and stops nothing', options, async (t) => {
  const site = await emptySite(t);
  const folder = await makeSpool(site);
  const secret = join(site.folder, 'secret');
  await writeFile(secret, spooledRequest({ CNI_COMMAND: 'DEL' }, '{}'));
  const del = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'a', CNI_IFNAME: 'eth0' };
  const dropped: Readonly<Record<string, string>> = {
    '01-garbage.req': '\0\u0001garbage',
    '02-empty.req': '',
    '03-add.req': spooledRequest({ ...del, CNI_COMMAND: 'ADD', CNI_NETNS: '/proc/1/ns/net' }, '{}'),
    '04-cut.req': spooledRequest(del, '{"name":"lan"}').slice(0, -3),
    '05-large.req': spooledRequest(del, ' '.repeat(2_000_000)),
    '06-get.req': 'GET /healthz HTTP/1.1\r\n\r\n',
    '07-percent.req': spooledRequest(del, '{}').replace('cni-ifname: eth0', 'cni-ifname: %zz'),
    '08-name': spooledRequest(del, '{}'),
    '09-conf.req': spooledRequest(del, 'no JSON'),
    '10-plugin.req': spooledRequest(del, '{"cniVersion":"1.0.0","name":"lan"}', 'bridge'),
    '11-url.req': spooledRequest(del, '{}').replace('POST /cni/', 'POST /cni/%'),
  };
  for (const [name, text] of Object.entries(dropped)) await writeFile(join(folder, name), text);
  await symlink(secret, join(folder, '20-link.req'));
  execFileSync('mkfifo', [join(folder, '21-fifo.req')]);
  await mkdir(join(folder, '22-folder.req', 'inside'), { recursive: true });
  // Begun by a relay that died long ago, and by one that is at it right now.
  await writeFile(join(folder, '.tmp-old.req'), 'POST');
  await utimes(join(folder, '.tmp-old.req'), 1, 1);
  await writeFile(join(folder, '.tmp-new.req'), 'POST');

  await startAt(site);
  assert.deepEqual((await spoolEntries(site)).toSorted(), ['.tmp-new.req', '22-folder.req']);
  const log = logText(site);
  for (const name of [...Object.keys(dropped), '20-link.req', '21-fifo.req', '22-folder.req', '.tmp-old.req'])
    assert.ok(log.includes(join(folder, name)), name);
});

test('a spool that others could write to, or that is none, is not looked at', options, async (t) => {
  const site = await emptySite(t);
  await mkdir(join(site.folder, 'run'));
  const elsewhere = join(site.folder, 'elsewhere');
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, '1.req'), 'x');
  await symlink(elsewhere, spoolOf(site));
  const daemon = await startAt(site);
  assert.match(logText(site), /not a private folder of this user/);
  assert.equal(await endBy(daemon, 'SIGTERM'), 'exit status 0');
  assert.deepEqual(await spoolEntries(site), ['1.req']);

  const open = { ...site, socket: join(site.folder, 'run', 'open.sock') };
  execFileSync('mkdir', ['-m', '777', spoolOf(open)]);
  await writeFile(join(spoolOf(open), '1.req'), 'x');
  const second = await startAt(open);
  assert.deepEqual(await spoolEntries(open), ['1.req']);
  assert.equal(await endBy(second, 'SIGTERM'), 'exit status 0');

  const file = { ...site, socket: join(site.folder, 'run', 'file.sock') };
  await writeFile(spoolOf(file), 'x');
  assert.equal(await endBy(await startAt(file), 'SIGTERM'), 'exit status 0');
});
