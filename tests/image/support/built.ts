import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../src/lab/process.ts';
import { ROOT } from '../../support/leasehold.ts';

const BUILD_MS = 300_000;

/** `make image` with little compression: what is tested is not how small it gets. Gives the archive's path. */
export async function makeImage(folder: string, umask: string): Promise<string> {
  await run(['sh', '-c', `umask ${umask}; exec sh ${join(ROOT, 'scripts/image.sh')}`], {
    env: { ...process.env, OUT: folder, IMAGE_LEVEL: '1', SOURCE_DATE_EPOCH: '1700000000' },
    timeoutMs: BUILD_MS,
  });
  const name = (await readdir(folder)).find((one) => one.endsWith('-oci.tar'));
  if (name === undefined) throw new Error(`${folder}: has no archive`);
  return join(folder, name);
}

type Descriptor = {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
};
export type Index = { readonly schemaVersion: number; readonly manifests: readonly Descriptor[] };
type Manifest = { readonly config: Descriptor; readonly layers: readonly Descriptor[] };
export type ImageConfig = {
  readonly architecture: string;
  readonly config: {
    readonly Env: readonly string[];
    readonly Entrypoint: readonly string[];
    readonly Cmd: readonly string[];
  };
  readonly rootfs: { readonly diff_ids: readonly string[] };
};

/** An archive, unpacked. */
export class BuiltImage {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(archive: string, folder: string): Promise<BuiltImage> {
    await mkdir(folder, { recursive: true });
    await run(['tar', '-xf', archive, '-C', folder]);
    return new BuiltImage(folder);
  }

  get top(): Index {
    return JSON.parse(readFileSync(join(this.folder, 'index.json'), 'utf8')) as Index;
  }

  /** The index of platforms that index.json names. */
  get index(): Index {
    const [only] = this.top.manifests;
    if (only === undefined) throw new Error('index.json names no image');
    return this.#json(only.digest) as Index;
  }

  manifest(architecture: string): Manifest {
    const found = this.index.manifests.find((one) => one.platform?.architecture === architecture);
    if (found === undefined) throw new Error(`the index has no ${architecture}`);
    return this.#json(found.digest) as Manifest;
  }

  config(architecture: string): ImageConfig {
    return this.#json(this.manifest(architecture).config.digest) as ImageConfig;
  }

  blob(digest: string): string {
    return join(this.folder, 'blobs', digest.replace(':', '/'));
  }

  async blobs(): Promise<readonly { readonly digest: string; readonly bytes: Uint8Array }[]> {
    const names = await readdir(join(this.folder, 'blobs/sha256'));
    return await Promise.all(
      names.map(async (name) => ({
        digest: `sha256:${name}`,
        bytes: await readFile(join(this.folder, 'blobs/sha256', name)),
      })),
    );
  }

  /** Makes the root file system of a container. */
  async unpack(architecture: string, to: string): Promise<string> {
    await mkdir(to, { recursive: true, mode: 0o755 });
    for (const { digest } of this.manifest(architecture).layers) {
      await run(['tar', '--same-permissions', '-xzf', this.blob(digest), '-C', to]);
    }
    return to;
  }

  #json(digest: string): unknown {
    return JSON.parse(readFileSync(this.blob(digest), 'utf8'));
  }
}

/** The environment that the image gives its program. */
export function environmentOf({ config }: ImageConfig): Readonly<Record<string, string>> {
  return Object.fromEntries(
    config.Env.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
  );
}
