import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SysError } from '../../../src/base/sys-error.ts';
import { LeaseFiles } from '../../../src/kernel/lease-files.ts';

// Runs in a mount namespace of its own, so that its small disk goes with it.
const DISK = 'size=64k';
const TOO_MUCH = 128 * 1024;

const folder = process.argv[2] ?? '';
execFileSync('mount', ['-t', 'tmpfs', '-o', DISK, 'tmpfs', folder]);
const files = await LeaseFiles.open(folder);

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    return error instanceof SysError
      ? error.message.replaceAll(folder, '')
      : `not a SysError: ${String(error)}`;
  }
}

async function whyNot(): Promise<string> {
  return (await files.writable())?.message.replaceAll(folder, '') ?? 'writable';
}

async function state(): Promise<Record<string, unknown>> {
  const spares = readdirSync(join(folder, 'spare')).length;
  return { leases: readdirSync(join(folder, 'leases')), spares, records: await files.load() };
}

await files.put('a.json', 'old');
await files.put('b.json', 'x');
await files.remove('b.json');
const large = 'x'.repeat(TOO_MUCH);
// The first goes into the spare file, the second into a new one.
const full = [await outcome(files.put('a.json', large)), await outcome(files.put('a.json', large))];
const tells = [await whyNot()];
const whenFull = await state();
const smaller = await outcome(files.put('a.json', 'new'));
execFileSync('mount', ['-o', 'remount,ro', folder]);
tells.push(await whyNot());
const readOnly = [
  await outcome(files.put('a.json', 'newer')),
  await outcome(files.remove('a.json')),
  await outcome(files.moveAside('a.json')),
  await outcome(LeaseFiles.open(folder)),
];
const whenReadOnly = await state();
process.stdout.write(JSON.stringify({ tells, full, whenFull, smaller, readOnly, whenReadOnly }));
