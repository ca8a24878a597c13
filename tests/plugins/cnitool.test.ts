import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { systemEnv } from '../../src/lab/process.ts';
import { lanSite, linksOf, newPod } from '../daemon/support/lan.ts';
import { endBy, LEASEHOLD, startAt } from '../daemon/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { CNI_BIN, ROOT } from '../support/leasehold.ts';

/** scripts/test.sh builds them; libcni knows `cniVersions` since 1.2.0. */
const OLD = join(ROOT, 'dist/go/cnitool-1.1/cnitool');
const NEW = join(ROOT, 'dist/go/cnitool-1.3/cnitool');
/** libcni keeps its results in /var/lib/cni: that of this test is a folder of its own. */
const OWN_CACHE = 'mount --bind "$1" /var/lib && shift && exec "$@"';
/** A plugin that writes down what it is asked in which version, and hands it to the real one. */
const RECORDER = `#!/bin/sh
conf=$(cat)
version=$(printf '%s' "$conf" | sed -n 's/.*"cniVersion":"\\([0-9.]*\\)".*/\\1/p')
[ "$CNI_COMMAND" = VERSION ] || echo "$CNI_COMMAND $version" >>"$RECORD"
printf '%s' "$conf" | "$REAL"
`;

test(
  'the generated list: a new libcni asks STATUS and GC by 1.1.0, an old one takes 1.0.0',
  { skip: NEEDS_ROOT },
  async (t) => {
    for (const tool of [OLD, NEW]) {
      assert.ok(
        existsSync(tool),
        `${tool} is missing: sh scripts/test.sh builds it, by scripts/go-programs.sh`,
      );
    }
    const site = await lanSite(t);
    const { namespace, folder } = site;
    const [bin, conf, cache, record] = ['bin', 'net.d', 'cache', 'record'].map((name) => join(folder, name));
    assert.ok(bin !== undefined && conf !== undefined && cache !== undefined && record !== undefined);
    await Promise.all([bin, conf, cache].map(async (path) => await mkdir(path)));
    await writeFile(join(bin, 'leasehold'), RECORDER);
    await chmod(join(bin, 'leasehold'), 0o755);
    const generated = await namespace.run([LEASEHOLD, 'conflist', '--master', 'eth0']);
    await writeFile(join(conf, '05-leasehold.conflist'), generated);
    const daemon = await startAt(site);
    const pod = await newPod(site, 'pod');
    const env = systemEnv({
      CNI_PATH: bin,
      NETCONFPATH: conf,
      CNI_IFNAME: 'eth0',
      LEASEHOLD_SOCKET: site.socket,
      RECORD: record,
      REAL: resolve(CNI_BIN, 'leasehold'),
    });
    const run = async (tool: string, verb: string) =>
      await namespace.runToEnd(
        ['unshare', '--mount', 'sh', '-c', OWN_CACHE, 'sh', cache, tool, verb, 'lan', pod.attachment.netns],
        { env },
      );
    const good = async (tool: string, verb: string): Promise<void> => {
      const { status, stderr, stdout } = await run(tool, verb);
      assert.equal(status, 0, `${tool} ${verb}: ${stderr}${stdout}`);
    };
    const recorded = async (): Promise<readonly string[]> => {
      const lines = (await readFile(record, 'utf8')).trimEnd().split('\n');
      await writeFile(record, '');
      return lines;
    };

    for (const verb of ['add', 'check', 'del']) await good(OLD, verb);
    assert.deepEqual(await recorded(), ['ADD 1.0.0', 'CHECK 1.0.0', 'DEL 1.0.0']);
    for (const verb of ['status', 'add', 'check', 'gc']) await good(NEW, verb);
    // cnitool's GC names no attachment that is still valid: what is left goes, first by DEL of what libcni remembers.
    assert.deepEqual(await recorded(), ['STATUS 1.1.0', 'ADD 1.1.0', 'CHECK 1.1.0', 'DEL 1.1.0', 'GC 1.1.0']);
    assert.deepEqual(await linksOf(pod), ['lo']);

    await endBy(daemon, 'SIGTERM');
    const away = await run(NEW, 'status');
    assert.notEqual(away.status, 0);
    assert.match(away.stderr + away.stdout, /cannot connect to the daemon/);
  },
);
