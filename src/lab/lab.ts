import { parseArgs } from 'node:util';
import { visible } from '../base/outside-text.ts';
import { isErrno } from './errno.ts';
import { labBreak, labHeal, showBreaks } from './lab-break.ts';
import { chooseLab, labAttach, labDetach, labDown, labShell, labStatus } from './lab-commands.ts';
import { isRoot, meetNeeds } from './lab-needs.ts';
import type { Output } from './lab-output.ts';
import { missingPart, partsOf, type LabParts } from './lab-parts.ts';
import { listLabs } from './lab-state.ts';
import { labUp } from './lab-up.ts';
import { LabUsageError } from './lab-usage-error.ts';
import { styleFor } from './style.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** As a shell reports a command ended by SIGINT. */
const EXIT_INTERRUPTED = 130;

const USAGE = `leasehold lab: a home network inside this machine, to see Leasehold at work

  leasehold lab [--keep] [--conflist FILE]   build a home with three pods, show it, take it down
                                             (--keep: leave it up)
  leasehold lab status                       the pods and who can ping whom
  leasehold lab shell NAME [-- COMMAND...]   a shell on router, node, laptop or in a pod
  leasehold lab attach NAME                  one more pod
  leasehold lab detach NAME                  one pod less
  leasehold lab break [NAME]                 make a fault: what a person sees, and what "leasehold doctor" says
                                             (without NAME: those there are)
  leasehold lab heal [NAME]                  put it right again
  leasehold lab list                         labs that are up
  leasehold lab down [--all]                 take it down

With several labs up, --id ID says which. Needs root.
`;

export type LabOptions = {
  /** The folder of the checkout or installation: bin/, dist/cni/, examples/ and scripts/ are in it. */
  readonly root: string;
  /** What to run in place of that folder's own plugins and daemon. */
  readonly parts?: LabParts;
  /** By default standard output. */
  readonly output?: Output;
};

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      keep: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      id: { type: 'string' },
      conflist: { type: 'string' },
    },
  });
}

type Arguments = ReturnType<typeof parse>;

function stdout(): Output {
  return { style: styleFor(process.stdout, process.env), write: (text) => void process.stdout.write(text) };
}

function oneName(names: readonly string[], command: string): string {
  const [name, ...more] = names;
  if (name === undefined || more.length > 0) throw new LabUsageError(`${command} wants one NAME`);
  return name;
}

function partsFor(options: LabOptions): LabParts {
  return options.parts ?? partsOf(options.root);
}

async function up(values: Arguments['values'], options: LabOptions, output: Output): Promise<number> {
  const known = partsFor(options);
  const parts = values.conflist === undefined ? known : { ...known, conflist: values.conflist };
  const missing = await missingPart(parts);
  if (missing !== undefined) throw new LabUsageError(`${missing} is not there; run "make build" first`);
  if (!(await meetNeeds(options.root, output))) return EXIT_FAILED;
  const interruption = new AbortController();
  const interrupt = (): void => {
    if (!interruption.signal.aborted) output.write('\nInterrupted: taking the lab down\n');
    interruption.abort(new Error('interrupted'));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupt);
  try {
    const good = await labUp({ parts, keep: values.keep, output, signal: interruption.signal });
    return good ? 0 : EXIT_FAILED;
  } catch (error) {
    if (interruption.signal.aborted) return EXIT_INTERRUPTED;
    throw error;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

async function dispatch(
  { values, positionals }: Arguments,
  options: LabOptions,
  output: Output,
): Promise<number> {
  const [command, ...rest] = positionals;
  if (command === undefined || command === 'up') return await up(values, options, output);
  if (!isRoot()) throw new LabUsageError(`${command} needs root`);
  switch (command) {
    case 'list':
      for (const { id, createdAt } of listLabs())
        output.write(`${id}  since ${new Date(createdAt).toISOString()}\n`);
      return 0;
    case 'status':
      return (await labStatus(chooseLab(values.id), output)) ? 0 : EXIT_FAILED;
    case 'attach':
      return (await labAttach(chooseLab(values.id), oneName(rest, command), output)) ? 0 : EXIT_FAILED;
    case 'detach':
      await labDetach(chooseLab(values.id), oneName(rest, command), output);
      return 0;
    case 'shell':
      return await labShell(chooseLab(values.id), oneName(rest.slice(0, 1), command), rest.slice(1));
    case 'break':
      if (rest.length === 0) showBreaks(output);
      else await labBreak(chooseLab(values.id), oneName(rest, command), partsFor(options), output);
      return 0;
    case 'heal':
      return (await labHeal(chooseLab(values.id), rest, output)) ? 0 : EXIT_FAILED;
    case 'down':
      for (const lab of values.all ? listLabs() : [chooseLab(values.id)]) await labDown(lab, output);
      return 0;
    default:
      throw new LabUsageError(`unknown command "${command}"`);
  }
}

/** Runs `leasehold lab ARGV...` and gives the exit status: 0, 1 for a failure, 2 for wrong usage, 130 interrupted. */
export async function runLab(argv: readonly string[], options: LabOptions): Promise<number> {
  const output = options.output ?? stdout();
  try {
    const parsed = parse(argv);
    if (parsed.values.help) {
      output.write(USAGE);
      return 0;
    }
    return await dispatch(parsed, options, output);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const usage =
      error instanceof LabUsageError ||
      isErrno(error, 'ERR_PARSE_ARGS_UNKNOWN_OPTION', 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE');
    output.write(
      `leasehold lab: ${message
        .split('\n')
        .map((line) => visible(line))
        .join('\n')}\n${usage ? '"leasehold lab --help" says what there is\n' : ''}`,
    );
    return usage ? EXIT_USAGE : EXIT_FAILED;
  }
}
