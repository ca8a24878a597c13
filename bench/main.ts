/** The benchmark, started by scripts/bench.sh: measures, prints the report and writes it to a file. */
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CRI_HEADING } from './cri-report.ts';
import { measure } from './measure.ts';
import { parseOptions, USAGE } from './options.ts';
import { FULL, QUICK } from './plan.ts';
import { report } from './report.ts';
import { sectionOf, withSection } from './sections.ts';
import { isErrno } from '../src/lab/errno.ts';

const ROOT = join(import.meta.dirname, '..');
const EXIT_INTERRUPTED = 130;
/** Longer than any run should take: a hang ends in order too. */
const LIMIT_MS = 30 * 60 * 1000;

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const options = parseOptions(argv);
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interruption.abort(new Error('interrupted')));
  }
  const limit = AbortSignal.timeout(LIMIT_MS);
  const signal = AbortSignal.any([interruption.signal, limit]);
  const begun = performance.now();
  const say = (text: string): void => {
    signal.throwIfAborted();
    console.error(`bench: ${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${text}`);
  };
  try {
    const plan = options.quick ? QUICK : FULL;
    const text = report(await measure({ root: ROOT, options, plan, signal, say }));
    const output = resolve(ROOT, options.output);
    const others = sectionOf(await readIfThere(output), CRI_HEADING);
    await writeFile(output, others === undefined ? text : withSection(text, CRI_HEADING, others));
    process.stdout.write(`${text}\n`);
    console.error(`bench: written to ${output}`);
    return 0;
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    console.error('bench: interrupted; everything was removed');
    return EXIT_INTERRUPTED;
  }
}

process.exitCode = await main(process.argv.slice(2));
