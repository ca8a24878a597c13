import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isJsonObject } from '../../src/base/json.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import {
  addPod,
  hasAddress,
  lanSite,
  linksOf,
  NETWORK,
  serverHas,
  waitUntilReleased,
  type LanSite,
} from './support/lan.ts';
import { copiedFor, readRecord, recordNames, recordText } from './support/records.ts';
import { emptySite, endBy, get, logOf, startAt } from './support/site.ts';

// What lies in the folder of the records and is none: moved aside and named, and stops nothing.

const options = { skip: NEEDS_ROOT };
const STEP = 100;

/** The reason that the log gives for a file that was moved aside; undefined when it says nothing of it. */
function problemOf(site: LanSite, file: string): string | undefined {
  const aside = join(site.stateDir, 'unreadable', file);
  for (const line of logOf(site)) {
    if (!isJsonObject(line) || line['file'] !== file || line['aside'] !== aside) continue;
    const { problem } = line;
    return typeof problem === 'string' ? problem : undefined;
  }
  return undefined;
}

test(
  'what is no record is moved aside, each with its reason, the others are taken up',
  options,
  async (t) => {
    const site = await lanSite(t);
    const daemon = await startAt(site);
    const good = await addPod(site, 'good');
    const bad = await addPod(site, 'bad');
    await endBy(daemon, 'SIGKILL');
    const folder = join(site.stateDir, 'leases');
    const inside = (name: string): string => join(folder, name);
    const own = readRecord(site, good.pod);
    const text = recordText(own);
    const expected = new Map<string, RegExp>();
    const put = (name: string, bytes: string | Uint8Array, problem: RegExp): void => {
      writeFileSync(inside(name), bytes, { mode: 0o600 });
      expected.set(name, problem);
    };
    /** Under the name that its key has, so that nothing but the change is wrong. */
    const alter = (id: string, change: (json: string) => string | Uint8Array, problem: RegExp): void => {
      const copy = copiedFor(id, own);
      put(copy.name, change(recordText(copy)), problem);
    };

    // A record that broke off anywhere.
    const shortest = recordText(copiedFor('cut-0', own)).length;
    for (let length = 0; length < shortest - 2; length += STEP) {
      alter(`cut-${length}`, (whole) => whole.slice(0, length), /not JSON/);
    }
    alter('cut-last', (whole) => whole.trimEnd().slice(0, -1), /not JSON/);
    put(readRecord(site, bad.pod).name, text.slice(0, 200), /not JSON/);
    alter('zeros', (whole) => new Uint8Array(whole.length), /not JSON/);
    alter('twice', (whole) => whole + whole, /not JSON/);
    alter('future', (whole) => whole.replace('"schema": 1', '"schema": 2'), /schema/);
    alter('past', (whole) => whole.replace('"schema": 1', '"schema": 0'), /schema/);
    alter('address', (whole) => whole.replaceAll(good.address, '192.168.2.999'), /state\.lease\.address/);
    alter('number', (whole) => whole.replace('"renewAt": ', '"renewAt": -1e999'), /not JSON|renewAt/);
    alter('order', (whole) => whole.replace(/"expiresAt": \d+/, '"expiresAt": 1'), /out of order/);
    alter('bytes', (whole) => Buffer.from(whole.replace('192.168', '\u00ff92.168'), 'latin1'), /address/);
    // Somebody copied a record: two clients for one lease would fight over it.
    put('copy.json', text, /the name does not fit the lease inside/);
    put('notes.txt', 'remember the milk', /not JSON/);
    put('list.json', '[]', /^schema: /);
    put('deep.json', '['.repeat(100_000), /nests too deep/);
    put('large.json', ' '.repeat(300_000), /is larger than/);
    mkdirSync(inside('folder.json'));
    expected.set('folder.json', /is not a regular file/);
    mkdirSync(inside('.hidden'));
    expected.set('.hidden', /is not a regular file/);
    symlinkSync(inside(own.name), inside('link.json'));
    expected.set('link.json', /symbolic link|is not a regular file/);
    // Nobody writes to it: a daemon that waited would never start.
    execFileSync('mkfifo', [inside('pipe.json')]);
    expected.set('pipe.json', /is not a regular file/);
    // What others may write says which interfaces are removed, and what is sent in whose name.
    const open = copiedFor('open', own);
    put(open.name, recordText(open), /can be written by others/);
    chmodSync(inside(open.name), 0o666);
    // What a write that never ended leaves is nobody's loss, and not kept.
    writeFileSync(inside(`.${own.name}.7`), text.slice(0, 300), { mode: 0o600 });

    const second = await startAt(site);
    assert.deepEqual(recordNames(site), [own.name]);
    assert.deepEqual(readdirSync(join(site.stateDir, 'unreadable')).sort(), [...expected.keys()].sort());
    for (const [name, problem] of expected) assert.match(problemOf(site, name) ?? 'not named', problem, name);
    const { json } = await get(site.socket, '/v1/leases');
    assert.ok(Array.isArray(json) && json.length === 1);
    await site.runtime.check(NETWORK, good.pod.attachment);
    assert.ok((await hasAddress(good.pod, good.address)) && (await serverHas(site, good.address)));

    // The lease whose record is lost: its DEL still succeeds and takes the link away.
    await site.runtime.del(NETWORK, bad.pod.attachment);
    assert.deepEqual(await linksOf(bad.pod), ['lo']);
    // A second start finds nothing more to complain about.
    await endBy(second, 'SIGTERM');
    const before = logOf(site).length;
    await startAt(site);
    assert.ok(!JSON.stringify(logOf(site).slice(before)).includes('moved aside'));
    await site.runtime.del(NETWORK, good.pod.attachment);
    await waitUntilReleased(site, good.address);
  },
);

test('one more of the same name does not stop the start, nor replace the first', options, async (t) => {
  const site = await emptySite(t);
  mkdirSync(join(site.stateDir, 'leases', 'twice.json', 'inside'), { recursive: true });
  mkdirSync(join(site.stateDir, 'unreadable', 'twice.json', 'older'), { recursive: true });
  await startAt(site);
  assert.ok(existsSync(join(site.stateDir, 'unreadable', 'twice.json', 'older')));
  assert.ok(existsSync(join(site.stateDir, 'unreadable', 'twice.json.1', 'inside')));
  assert.deepEqual(recordNames(site), []);
});
