import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const RELAY = 'the relay';
export const LOOPBACK = 'the plugin loopback';

/** A program as an unpacked tarball has it, of a few bytes. */
export function fakeTree(folder: string, main = 'main'): string {
  const files = {
    'bin/leasehold': '#!/bin/sh\n',
    'app/leasehold.mjs': main,
    'dist/cni/leasehold': RELAY,
    'dist/cni/loopback': LOOPBACK,
    'node_modules/node/bin/node': 'node',
    'package.json': '{}',
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}
