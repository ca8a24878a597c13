import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { startDaemon } from '../../src/lab/daemon.ts';
import { createPod } from '../../src/lab/pods.ts';
import { run, runToEnd } from '../../src/lab/process.ts';
import { homeLan, NEEDS_ROOT } from '../support/home-lan.ts';
import { ROOT } from '../support/leasehold.ts';
import { addressIn, macvlan, networkOf } from '../plugins/support/site.ts';

const DIST_MS = 120_000;
/** A download that somebody at home makes. */
const MOST_BYTES = 80_000_000;

/** `make dist` with little compression: what is tested is not how small it gets. Gives the tarball's path. */
async function makeDist(folder: string, umask: string): Promise<string> {
  await run(['sh', '-c', `umask ${umask}; exec sh ${join(ROOT, 'scripts/dist.sh')}`], {
    env: { ...process.env, OUT: folder, DIST_LEVEL: '1', SOURCE_DATE_EPOCH: '1700000000' },
    timeoutMs: DIST_MS,
  });
  const name = (await readdir(folder)).find((one) => one.endsWith('.tar.gz'));
  assert.ok(name !== undefined);
  return join(folder, name);
}

/** The command where neither this checkout nor any Node, npm or make of the machine can be reached. */
function withoutOurs(command: readonly string[]): readonly string[] {
  const hide = `for program in node npm npx make gcc; do
    for folder in /usr/local/bin /usr/bin /bin; do
      if [ -e $folder/$program ]; then mount --bind /dev/null $folder/$program; fi
    done
  done
  for library in /usr/lib/*/libatomic.so.1; do
    if [ -e $library ]; then mount --bind /dev/null $library; fi
  done
  mount -t tmpfs tmpfs ${ROOT}
  cd /
  exec "$@"`;
  // Slave: the pods' namespaces are mounted later.
  return ['unshare', '--mount', '--propagation=slave', 'sh', '-euc', hide, 'sh', ...command];
}

async function unpack(tarball: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await run(['tar', '-xzf', tarball, '-C', folder]);
  const [name] = await readdir(folder);
  assert.match(name ?? '', /^leasehold-\d+\.\d+\.\d+-linux-\w+$/);
  return join(folder, name ?? '');
}

describe('the tarball', { skip: NEEDS_ROOT }, () => {
  let folder = '';
  let tarball = '';
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'leasehold-dist-'));
    tarball = await makeDist(join(folder, 'first'), '022');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('is the same bytes again, whoever makes it, and its sum is beside it', async () => {
    const again = await makeDist(join(folder, 'again'), '077');
    const sums = [];
    for (const one of [tarball, again]) {
      const bytes = await readFile(one);
      assert.ok(bytes.length < MOST_BYTES, `${bytes.length}`);
      const sum = createHash('sha256').update(bytes).digest('hex');
      assert.ok((await readFile(`${one}.sha256`, 'utf8')).startsWith(`${sum}  leasehold-`));
      sums.push(sum);
    }
    assert.equal(sums[0], sums[1]);
  });

  test('runs where there is no Node, npm, make and checkout: version, install, and an ADD', async (t) => {
    const lan = await homeLan(t, { hosts: { node: { address: cidr('192.168.2.125/24') } } });
    const tree = await unpack(tarball, join(lan.folder, 'unpacked'));
    const program = join(tree, 'bin/leasehold');
    assert.match(await run(withoutOurs([program, 'version'])), /^\d+\.\d+\.\d+\n$/);
    await assert.rejects(run(withoutOurs(['node', '--version'])), /node/);

    const image = join(lan.folder, 'image');
    await mkdir(image);
    const said = await run(withoutOurs([program, 'install', '--root', image]));
    assert.match(said, /the daemon starts when this image is booted/);
    const [installed] = await readdir(join(image, 'usr/local/lib/leasehold'));
    const copy = join(image, 'usr/local/lib/leasehold', installed ?? '');
    assert.match(await run(withoutOurs([join(copy, 'bin/leasehold'), 'version'])), /^\d+\.\d+\.\d+\n$/);

    const socket = join(lan.folder, 'leasehold.sock');
    await startDaemon(lan.node.namespace, {
      command: withoutOurs([
        join(copy, 'bin/leasehold'),
        'daemon',
        '--socket',
        socket,
        '--state-dir',
        join(lan.folder, 'state'),
      ]),
      socket,
      logFile: join(lan.folder, 'daemon.log'),
      resources: lan.resources,
    });
    const runtime = new CniRuntime({
      place: lan.node.namespace,
      binDirs: [join(tree, 'dist/cni')],
      env: { LEASEHOLD_SOCKET: socket },
    });
    const pod = await createPod('pod', lan);
    const network = networkOf([macvlan()]);
    const address = addressIn((await runtime.add(network, pod.attachment)).result);
    assert.match(await pod.namespace.ip('addr', 'show', 'eth0'), new RegExp(address));
    await runtime.del(network, pod.attachment);
  });

  test('has the licences of all that is in it, and nothing for developers', async () => {
    const tree = await unpack(tarball, join(folder, 'unpacked'));
    const page = await readFile(join(tree, 'THIRD-PARTY.md'), 'utf8');
    for (const name of ['Node.js', 'koffi', 'pino', 'valibot']) assert.ok(page.includes(`| ${name} |`), name);
    const texts = [...page.matchAll(/\| ((?:node_modules|app)\/\S+) \|$/gm)].map((match) => match[1] ?? '');
    // The bundle's packages, from what it says of each of its parts.
    const bundled = new Set(
      [
        ...(await readFile(join(tree, 'app/leasehold.mjs.map'), 'utf8')).matchAll(
          /node_modules\/((?:@[^/"]+\/)?[^/"]+)\//g,
        ),
      ].map((match) => match[1] ?? ''),
    );
    for (const name of bundled) assert.ok(page.includes(`| ${name} |`), name);
    assert.ok(texts.length >= bundled.size);
    for (const text of texts) assert.ok((await readFile(join(tree, text), 'utf8')).length > 100, text);
    assert.deepEqual(await readdir(join(tree, 'node_modules')), ['node']);
    const all = await readdir(tree, { recursive: true });
    const programs = all.filter((path) => /\.([cm]?[jt]s|node)$/.test(path));
    assert.deepEqual(programs.toSorted(), ['app/koffi.node', 'app/leasehold.mjs']);
    assert.ok(!all.some((path) => /^(src|tests|bench)/.test(path)));
  });

  test('says of a bug where in the sources it is', async () => {
    const tree = await unpack(tarball, join(folder, 'traced'));
    // main.ts asks stdout for its errors: a bug is put there.
    const bug = 'process.stdout.on = () => { throw new Error("planted"); };';
    const { status, stderr } = await runToEnd([join(tree, 'bin/leasehold'), 'version'], {
      env: { ...process.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(bug)}` },
    });
    assert.equal(status, 1);
    const [, line] = /^Error: planted\n(?: +at .*\n)*? +at src\/main\.ts:(\d+):\d+$/m.exec(stderr) ?? [];
    const source = (await readFile(join(ROOT, 'src/main.ts'), 'utf8')).split('\n');
    assert.match(source[Number(line) - 1] ?? stderr, /process\.stdout\.on\(/);
  });
});
