import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

/** Its map is read by stack-traces.ts. */
export const BUNDLE = 'leasehold.mjs';
/** For the image, where the kernel takes this line for the interpreter and NODE_OPTIONS has Node's flags. */
const INTERPRETER = '#!/usr/bin/node';
/** The CommonJS packages ask for Node's own modules by `require`, which an ES module does not have. */
const REQUIRE = `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`;

/** What the installed program has not as its checkout has it, by the path that imports name. */
function instead(root: string): Plugin {
  const here = (name: string): { readonly path: string } => ({ path: join(root, 'scripts/program', name) });
  return {
    name: 'leasehold-program',
    setup: (bundler) => {
      bundler.onResolve({ filter: /^koffi$/ }, () => here('koffi-native.ts'));
      bundler.onResolve({ filter: /\/lab\/lab\.ts$/ }, () => here('no-lab.ts'));
    },
  };
}

/**
 * The program as one file and its source map, `folder`/leasehold.mjs{,.map}. Paths of sources in the map are relative
 * to the root of the checkout, wherever that is. It is not minified: an error without its map can still be read.
 * Gives the packages that went into it. Rejects with an Error.
 */
export async function bundle(root: string, folder: string): Promise<readonly string[]> {
  const { metafile, outputFiles, warnings } = await build({
    absWorkingDir: root,
    entryPoints: ['src/main.ts'],
    inject: ['scripts/program/stack-traces.ts'],
    // Beside src/, so that the map's paths are the same wherever the bundle is written to.
    outfile: join(root, 'app', BUNDLE),
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    sourcemap: 'linked',
    sourcesContent: false,
    banner: { js: `${INTERPRETER}\n${REQUIRE}` },
    // The licences are whole files beside it (THIRD-PARTY.md).
    legalComments: 'none',
    metafile: true,
    plugins: [instead(root)],
    logLevel: 'silent',
  });
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join('\n'));
  await writeAll(folder, outputFiles);
  const inputs = Object.keys(metafile.inputs).flatMap((path) => {
    const name = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
    return name === undefined ? [] : [name];
  });
  return [...new Set(inputs)].toSorted();
}

async function writeAll(
  folder: string,
  files: readonly { readonly path: string; readonly contents: Uint8Array }[],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { path, contents } of files) await writeFile(join(folder, basename(path)), contents);
}
