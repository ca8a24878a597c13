// Makes the images of the test pods from what scripts/e2e/images.sh has built:  images.ts CACHE
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { OciLayout } from '../../scripts/image/oci-layout.ts';

/** What a person or a test calls in a pod. */
const BUSYBOX_NAMES = [
  'arping',
  'cat',
  'hostname',
  'ip',
  'ls',
  'nc',
  'nslookup',
  'ping',
  'sh',
  'sleep',
  'wget',
];

/** `arch` as the OCI image format calls it (GOARCH). */
const ARCHITECTURES: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: 'amd64',
  arm64: 'arm64',
};

type Image = {
  readonly name: string;
  readonly entrypoint: readonly string[];
  /** Paths in the image, and where each file comes from. */
  readonly files: Readonly<Record<string, string>>;
  readonly links: Readonly<Record<string, string>>;
};

const [cache = ''] = process.argv.slice(2);
const bin = join(cache, 'bin');

const IMAGES: readonly Image[] = [
  { name: 'pause', entrypoint: ['/pause'], files: { pause: join(bin, 'pause') }, links: {} },
  {
    name: 'who',
    entrypoint: ['/bin/who'],
    files: { 'bin/who': join(bin, 'who'), 'bin/busybox': join(bin, 'busybox') },
    links: Object.fromEntries(BUSYBOX_NAMES.map((name) => [`bin/${name}`, 'busybox'])),
  },
];

const architecture = ARCHITECTURES[process.arch];
if (architecture === undefined) throw new Error(`images.ts: no image for ${process.arch}`);
mkdirSync(join(cache, 'images'), { recursive: true });
for (const image of IMAGES) await make(image, architecture);

async function make(image: Image, arch: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), `leasehold-e2e-${image.name}-`));
  try {
    const root = join(work, 'root');
    for (const [path, from] of Object.entries(image.files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      copyFileSync(from, join(root, path));
      chmodSync(join(root, path), 0o755);
    }
    for (const [path, target] of Object.entries(image.links)) symlinkSync(target, join(root, path));
    const layout = new OciLayout(join(work, 'layout'), 0, 1);
    const config = { Env: ['PATH=/bin'], Entrypoint: image.entrypoint, Cmd: [], Labels: {} };
    const manifest = layout.manifest({ os: 'linux', architecture: arch }, config, [await layout.layer(root)]);
    await layout.archive(`localhost/${image.name}:1`, [manifest], join(cache, 'images', `${image.name}.tar`));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
