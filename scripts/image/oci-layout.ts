import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

// OCI image format specification 1.1: image-layout.md, image-index.md, manifest.md, config.md.
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
/** gzip and not zstd: everything that reads images reads it. */
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

type Descriptor = {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: OciPlatform;
  readonly annotations?: Readonly<Record<string, string>>;
};

export type OciPlatform = { readonly os: string; readonly architecture: string; readonly variant?: string };

/** `descriptor`: the layer as it is stored. `diffId`: the digest of its tar before compression (config.md). */
export type Layer = { readonly descriptor: Descriptor; readonly diffId: string; readonly bytes: number };

/** What of a container's configuration the image states (config.md, `config`). */
export type RunConfig = {
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
};

/** An OCI image layout in a folder, and how it becomes one file. */
export class OciLayout {
  readonly #folder: string;
  readonly #epoch: number;
  readonly #level: number;

  /** `epoch`: the date of everything, in seconds since 1970. `level`: how hard gzip tries, 1 to 9. */
  constructor(folder: string, epoch: number, level: number) {
    this.#folder = folder;
    this.#epoch = epoch;
    this.#level = level;
    mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  }

  /** A folder as a layer: sorted, owned by root, one date. Rejects with an Error. */
  async layer(folder: string): Promise<Layer> {
    const tar = `${folder}.tar`;
    await this.#tar(folder, tar);
    const bytes = readFileSync(tar);
    // Node's gzip writes no name and no date.
    const compressed = await promisify(gzip)(bytes, { level: this.#level });
    return { descriptor: this.#blob(LAYER, compressed), diffId: digestOf(bytes), bytes: bytes.length };
  }

  /** An image for one platform. */
  manifest(platform: OciPlatform, config: RunConfig, layers: readonly Layer[]): Descriptor {
    const created = new Date(this.#epoch * 1000).toISOString();
    const described = this.#json(CONFIG, {
      created,
      ...platform,
      config: { ...config, WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(() => ({ created, created_by: 'make image' })),
    });
    const manifest = this.#json(MANIFEST, {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: described,
      layers: layers.map(({ descriptor }) => descriptor),
    });
    return { ...manifest, platform };
  }

  /** The one image of the layout: an index of `manifests`, under a name that containerd and podman give it. */
  async archive(name: string, manifests: readonly Descriptor[], file: string): Promise<void> {
    const index = this.#json(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests });
    const annotations = {
      // containerd's and podman's; the specification's own holds no more than the tag.
      'io.containerd.image.name': name,
      'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
    };
    const top = { schemaVersion: 2, mediaType: INDEX, manifests: [{ ...index, annotations }] };
    writeFileSync(join(this.#folder, 'index.json'), JSON.stringify(top));
    writeFileSync(join(this.#folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await this.#tar(this.#folder, file);
  }

  async #tar(folder: string, file: string): Promise<void> {
    const how = [
      '--sort=name',
      `--mtime=@${this.#epoch}`,
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '--format=ustar',
    ];
    // Without the folder itself: its mode is that of whoever made it.
    await promisify(execFile)(
      'sh',
      [
        '-c',
        'cd "$1" && shift && file=$1 && shift && exec tar "$@" -cf "$file" -- *',
        'sh',
        folder,
        file,
        ...how,
      ],
      { env: { ...process.env, LC_ALL: 'C' } },
    );
  }

  #json(mediaType: string, value: unknown): Descriptor {
    return this.#blob(mediaType, Buffer.from(JSON.stringify(value)));
  }

  #blob(mediaType: string, bytes: Uint8Array): Descriptor {
    const digest = digestOf(bytes);
    writeFileSync(join(this.#folder, 'blobs', digest.replace(':', '/')), bytes);
    return { mediaType, digest, size: bytes.length };
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
