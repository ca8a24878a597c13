// Makes the OCI archive; scripts/image.sh calls it and has fetched and built what it puts together.
//   main.ts --cache DIR --relay DIR --work DIR --output FILE --epoch SECONDS --level 1..9
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { OciLayout, type OciPlatform, type RunConfig } from './oci-layout.ts';
import { type Platform, PLATFORMS } from './platforms.ts';
import { checkLibraries, stageProgram, stageRuntime } from './root-fs.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const string = { type: 'string' } as const;
const { values } = parseArgs({
  options: { cache: string, relay: string, work: string, output: string, epoch: string, level: string },
});
const version = packageVersion();
const layout = new OciLayout(join(value('work'), 'layout'), Number(value('epoch')), Number(value('level')));

/** Node's flags are those of bin/leasehold, where their reasons are; the image has no shell that could give them. */
const CONFIG: RunConfig = {
  Env: [
    'PATH=/usr/bin',
    'UV_THREADPOOL_SIZE=25',
    'NODE_OPTIONS=--v8-pool-size=1 --max-semi-space-size=2 --disable-sigusr1',
  ],
  Entrypoint: ['/usr/bin/leasehold'],
  Cmd: ['daemon'],
  Labels: {
    'org.opencontainers.image.title': 'leasehold',
    'org.opencontainers.image.description':
      'Containers get their addresses from the DHCP server that already runs on their network.',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.licenses': 'Apache-2.0',
  },
};

const images = await Promise.all(PLATFORMS.map(imageFor));
await layout.archive(
  `localhost/leasehold:${version}`,
  images.map(({ manifest }) => manifest),
  value('output'),
);
for (const { platform, packed, unpacked } of images) {
  console.log(
    `  ${platform.architecture}: ${megabytes(packed)} MB to fetch, ${megabytes(unpacked)} MB unpacked`,
  );
}

async function imageFor(platform: Platform): Promise<{
  readonly platform: Platform;
  readonly manifest: ReturnType<OciLayout['manifest']>;
  readonly packed: number;
  readonly unpacked: number;
}> {
  const { architecture } = platform;
  const sources = {
    root: ROOT,
    cache: join(value('cache'), 'npm'),
    debian: join(value('cache'), 'debian', architecture),
    relay: join(value('relay'), architecture),
  };
  const stage = join(value('work'), architecture);
  const [runtime, program] = [join(stage, 'runtime'), join(stage, 'program')];
  for (const folder of [runtime, program]) mkdirSync(folder, { recursive: true });
  stageRuntime(platform, sources, runtime);
  await stageProgram(platform, sources, program);
  checkLibraries(platform, [runtime, program]);
  const layers = [await layout.layer(runtime), await layout.layer(program)];
  const oci: OciPlatform = {
    os: 'linux',
    architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
  };
  return {
    platform,
    manifest: layout.manifest(oci, CONFIG, layers),
    packed: layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0),
    unpacked: layers.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function value(name: keyof typeof values): string {
  const given = values[name];
  if (given === undefined) throw new Error(`main.ts: --${name} is missing`);
  return given;
}

function packageVersion(): string {
  const { version: said } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  if (typeof said !== 'string') throw new Error('package.json: has no version');
  return said;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
