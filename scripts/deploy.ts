// Renders the chart for each profile into deploy/install*.yaml. Called by `make deploy`.
import { readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { helmProgram, renderManifest } from './deploy/render.ts';

const deploy = join(dirname(import.meta.dirname), 'deploy');
for (const file of readdirSync(join(deploy, 'profiles')).toSorted()) {
  const profile = file.replace(/\.yaml$/, '');
  const { path, text } = renderManifest(helmProgram(), deploy, profile);
  writeFileSync(path, text);
  console.log(`  ${path}`);
}
