import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { cidr } from '../../src/base/cidr.ts';
import { parseNetworkList } from '../../src/lab/cni-conf.ts';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { waitUntilReady } from '../../src/lab/long-process.ts';
import { createPod } from '../../src/lab/pods.ts';
import { CommandError, run } from '../../src/lab/process.ts';
import { addressIn, macvlan, networkOf } from '../plugins/support/site.ts';
import { homeLan, NEEDS_ROOT } from '../support/home-lan.ts';
import { ROOT, startLeasehold } from '../support/leasehold.ts';
import { BuiltImage, environmentOf, makeImage } from './support/built.ts';
import { inImage } from './support/in-image.ts';
import { entriesOf } from './support/root-fs.ts';

const ARCHITECTURES = ['amd64', 'arm64'] as const;
const NATIVE = arch() === 'x64' ? 'amd64' : 'arm64';
/** Bytes unpacked, for one platform. */
const MOST_BYTES = 140_000_000;
const QEMU_MS = 60_000;

const PROGRAMS = [
  /^lib(64)?\/ld-linux-[\w-]+\.so\.\d$/,
  /^lib\/\w+-linux-gnu\/lib(atomic|c|dl|gcc_s|m|pthread|stdc\+\+)\.so\.\d$/,
  /^usr\/bin\/node$/,
  /^usr\/lib\/leasehold\/app\/(koffi\.node|leasehold\.mjs)$/,
  /^usr\/lib\/leasehold\/dist\/cni\/(leasehold(-probe)?|loopback)$/,
];
const LINKS = [
  'usr/bin/leasehold',
  ...['dhcp', 'macvlan', 'route-override'].map((name) => `usr/lib/leasehold/dist/cni/${name}`),
];

describe('the image', { skip: NEEDS_ROOT }, () => {
  let folder = '';
  let archive = '';
  let image: BuiltImage;
  const roots = new Map<string, string>();
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'leasehold-image-'));
    // A container's root can be entered by all.
    chmodSync(folder, 0o755);
    archive = await makeImage(join(folder, 'first'), '022');
    image = await BuiltImage.open(archive, join(folder, 'layout'));
    for (const one of ARCHITECTURES) roots.set(one, await image.unpack(one, join(folder, one)));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const rootOf = (architecture: string): string => roots.get(architecture) ?? assert.fail(architecture);

  test('is the same bytes again, whoever makes it, and its sum is beside it', async () => {
    const again = await makeImage(join(folder, 'again'), '077');
    const [first, second] = await Promise.all([archive, again].map((path) => readFile(path)));
    assert.ok(first !== undefined && second !== undefined && first.equals(second));
    const sum = createHash('sha256').update(first).digest('hex');
    assert.match(await readFile(`${archive}.sha256`, 'utf8'), new RegExp(`^${sum}  leasehold-`));
  });

  test('is an OCI layout with one image for two platforms, every digest right', async () => {
    for (const { digest, bytes } of await image.blobs()) {
      assert.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest);
    }
    const { annotations } = image.top.manifests[0] ?? {};
    assert.match(annotations?.['io.containerd.image.name'] ?? '', /^localhost\/leasehold:\d+\.\d+\.\d+$/);
    assert.deepEqual(
      image.index.manifests.map(({ platform }) => `${platform?.os}/${platform?.architecture}`),
      ARCHITECTURES.map((one) => `linux/${one}`),
    );
    for (const one of ARCHITECTURES) {
      const { layers } = image.manifest(one);
      const tars = await Promise.all(
        layers.map(async ({ digest }) => gunzipSync(await readFile(image.blob(digest)))),
      );
      assert.deepEqual(
        image.config(one).rootfs.diff_ids,
        tars.map((bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`),
      );
      assert.ok(tars.reduce((sum, { length }) => sum + length, 0) < MOST_BYTES);
      const { Entrypoint, Cmd } = image.config(one).config;
      assert.deepEqual([...Entrypoint, ...Cmd], ['/usr/bin/leasehold', 'daemon']);
    }
  });

  test('the Dockerfile makes a container that is started in the same way', async () => {
    const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
    const said = (key: string): readonly string[] =>
      [...text.matchAll(new RegExp(`^${key} (.+)$`, 'gm'))].map((match) => match[1] ?? '');
    const { Env, Entrypoint, Cmd } = image.config(NATIVE).config;
    assert.deepEqual(
      said('ENV').map((one) => one.replaceAll('"', '')),
      Env,
    );
    assert.deepEqual(
      said('ENTRYPOINT').map((one) => JSON.parse(one) as unknown),
      [Entrypoint],
    );
    assert.deepEqual(
      said('CMD').map((one) => JSON.parse(one) as unknown),
      [Cmd],
    );
  });

  test('another reader takes it: skopeo copies both platforms, and checks them', async () => {
    const copy = [
      'skopeo',
      'copy',
      '--quiet',
      '--all',
      `oci-archive:${archive}`,
      `dir:${join(folder, 'copy')}`,
    ];
    // Its cache is /var/lib/containers/cache for root, whatever one says: it gets a /var/lib of its own, for other tests
    // hold that nothing in the machine's is changed.
    const apart = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /var/lib && exec "$@"', 'sh'];
    await run([...apart, ...copy], { timeoutMs: QEMU_MS });
    const list = JSON.parse(await readFile(join(folder, 'copy/manifest.json'), 'utf8')) as {
      manifests: unknown[];
    };
    assert.equal(list.manifests.length, ARCHITECTURES.length);
  });

  test('has no program but Node, its libraries, ours and the plugin: no shell, no package manager', async () => {
    for (const one of ARCHITECTURES) {
      const entries = await entriesOf(rootOf(one));
      const programs = entries.filter(
        ({ kind, isProgram, mode }) => kind === 'file' && (isProgram || (mode & 0o111) !== 0),
      );
      for (const { path } of programs)
        assert.ok(
          PROGRAMS.some((known) => known.test(path)),
          path,
        );
      assert.ok(programs.length >= PROGRAMS.length);
      assert.deepEqual(
        entries.filter(({ kind }) => kind === 'link').map(({ path }) => path),
        LINKS,
      );
      for (const { path, kind, mode, uid, gid } of entries) {
        assert.notEqual(kind, 'other', path);
        assert.deepEqual([uid, gid], [0, 0], path);
        if (kind === 'file') assert.ok([0o644, 0o755].includes(mode), `${path}: ${mode.toString(8)}`);
        if (kind === 'folder') assert.equal(mode, path === 'tmp' ? 0o1777 : 0o755, path);
      }
    }
  });

  test('names the licence of every package in it', async () => {
    for (const one of ARCHITECTURES) {
      const page = await readFile(join(rootOf(one), 'usr/share/doc/leasehold/THIRD-PARTY.md'), 'utf8');
      const texts = [...page.matchAll(/\/(usr\/share\/doc\/[^\s,)|]+)/g)].map((match) => match[1] ?? '');
      for (const name of ['Node.js', 'koffi', 'pino', 'valibot'])
        assert.ok(page.includes(`| ${name} |`), name);
      assert.match(page, /libc6 2\.\S+, libgcc-s1 /);
      for (const text of texts)
        assert.ok((await readFile(join(rootOf(one), text), 'utf8')).length > 100, text);
    }
  });

  test('runs read-only, in a container that is not privileged: an ADD, and a DEL', async (t) => {
    const lan = await homeLan(t, { hosts: { node: { address: cidr('192.168.2.125/24') } } });
    const root = rootOf(NATIVE);
    const daemon = await startLeasehold(lan, {
      within: inImage(root, lan.folder),
      program: ['/usr/bin/leasehold'],
      env: environmentOf(image.config(NATIVE)),
      binDirs: [join(root, 'usr/lib/leasehold/dist/cni')],
    });
    const network = networkOf([{ type: 'leasehold' }], { cniVersion: '1.1.0' });
    await daemon.runtime.status(network);
    const pod = await createPod('pod', lan);
    const address = addressIn((await daemon.runtime.add(network, pod.attachment)).result);
    await lan.node.namespace.run(['ping', '-c', '1', '-W', '2', address]);
    await daemon.runtime.del(network, pod.attachment);
  });

  test('runs so as an agent: what it puts on the node serves a pod, and its probe answers', async (t) => {
    const lan = await homeLan(t, { hosts: { node: { address: cidr('192.168.2.126/24') } } });
    const root = rootOf(NATIVE);
    const here = (name: string): string => join(lan.folder, name);
    for (const name of ['bin', 'conf']) await mkdir(here(name));
    const env = { ...environmentOf(image.config(NATIVE)), LEASEHOLD_PROBE_SOCKET: here('probe/probe.sock') };
    const folders = ['--cni-bin-dir', here('bin'), '--cni-conf-dir', here('conf')];
    const paths = ['--socket', here('run/d.sock'), '--state-dir', here('state')];
    const agent = await lan.node.namespace.start(
      [...inImage(root, lan.folder), '/usr/bin/leasehold', 'agent', ...paths, ...folders],
      { name: 'agent', logFile: here('agent.log'), env },
      lan.resources,
    );
    const probe = [...inImage(root, lan.folder), '/usr/lib/leasehold/dist/cni/leasehold-probe', 'ready'];
    await waitUntilReady(
      agent,
      async () => (await lan.node.namespace.runToEnd(probe, { env })).stdout === 'ready\n',
    );
    const runtime = new CniRuntime({
      place: lan.node.namespace,
      binDirs: [here('bin')],
      env: { LEASEHOLD_SOCKET: here('run/d.sock') },
    });
    assert.deepEqual((await readdir(here('bin'))).toSorted(), ['leasehold', 'loopback']);
    const network = parseNetworkList(await readFile(here('conf/05-leasehold.conflist'), 'utf8'));
    const pod = await createPod('pod', lan);
    assert.match(addressIn((await runtime.add(network, pod.attachment)).result), /^192\.168\.2\./);
    await runtime.del(network, pod.attachment);
  });

  test('an error names the source, not the bundle', async () => {
    const broken = 'data:text/javascript,process.stdout.on=()=>{throw new Error("on purpose")}';
    const env = environmentOf(image.config(NATIVE));
    const command = [
      '/usr/sbin/chroot',
      rootOf(NATIVE),
      '/usr/bin/node',
      `--import=${broken}`,
      '/usr/bin/leasehold',
      'version',
    ];
    await assert.rejects(run(command, { env: { ...env } }), (error: unknown) => {
      assert.ok(error instanceof CommandError);
      assert.match(error.message, /on purpose/);
      assert.match(error.message, /^ +at src\/main\.ts:\d+:\d+$/m);
      return true;
    });
  });

  test('arm64 under qemu-user: plugin, daemon, doctor, and a DHCP exchange', async (t) => {
    const root = rootOf('arm64');
    const gaps = join(folder, 'qemu-gaps.so');
    const source = join(import.meta.dirname, 'support/qemu-gaps.c');
    await run([
      'aarch64-linux-gnu-gcc',
      '-shared',
      '-fPIC',
      '-O2',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-o',
      gaps,
      source,
    ]);
    const plugins = join(folder, 'plugins');
    await mkdir(plugins);
    for (const type of ['leasehold', 'macvlan']) {
      const script = `#!/bin/sh\nexec qemu-aarch64 ${root}/usr/lib/leasehold/dist/cni/${type}\n`;
      await writeFile(join(plugins, type), script, { mode: 0o755 });
    }
    const lan = await homeLan(t, { hosts: { node: { address: cidr('192.168.2.125/24') } } });
    const node = ['qemu-aarch64', '-E', `LD_PRELOAD=${gaps}`, '-L', root, join(root, 'usr/bin/node')];
    const program = [...node, join(root, 'usr/bin/leasehold')];
    const env = environmentOf(image.config('arm64'));
    const daemon = await startLeasehold(lan, { program, env, binDirs: [plugins] });
    const versions = await daemon.runtime.version('leasehold');
    assert.ok(versions.includes('1.1.0'));
    const pod = await createPod('pod', lan);
    // Not "leasehold": qemu-user knows no netfilter sockets, which the node's part needs.
    const network = networkOf([macvlan()]);
    const address = addressIn((await daemon.runtime.add(network, pod.attachment)).result);
    assert.match(await pod.namespace.ip('addr', 'show', 'eth0'), new RegExp(`inet ${address}/24 `));
    assert.deepEqual(
      (await lan.server.leases()).map((lease) => lease.ip),
      [address],
    );
    const doctor = [...program, 'doctor', '--json', '--socket', daemon.socket];
    // It finds what this machine lacks, and ends with 2: what counts is that the LAN answered it.
    const { stdout } = await lan.node.namespace.runToEnd(doctor, {
      env: { ...process.env, ...env },
      timeoutMs: QEMU_MS,
    });
    const { findings } = JSON.parse(stdout) as { findings: readonly { readonly id: string }[] };
    assert.ok(
      findings.some(({ id }) => id === 'lan-ok'),
      stdout,
    );
    await daemon.runtime.del(network, pod.attachment);
    assert.deepEqual(await lan.server.leases(), []);
  });
});
