import { parseArgs } from 'node:util';
import { SECTION_NAMES, type SectionName } from './measure.ts';

export type Options = {
  readonly quick: boolean;
  /** Sections to measure; all of them when it is undefined. */
  readonly only?: readonly SectionName[] | undefined;
  /** Where the report goes. */
  readonly output: string;
  readonly driver: string;
  readonly empty: string;
  /** floor.c and jitter.c, built. */
  readonly floor: string;
  readonly jitter: string;
  /** The installed program: what runs on nodes is one file, and not the sources of a checkout. */
  readonly program: string;
  /** A folder with Go's `dhcp` and `macvlan`, and what to say of their version. */
  readonly goPlugins: string;
  readonly goVersion: string;
};

export const USAGE = `make bench [BENCH_ARGS="--quick --only SECTION --output FILE"]

  --quick        about six minutes instead of about fifteen; the report goes to dist/benchmarks-quick.md
  --only NAMES   only these sections, by comma; the report goes to dist/benchmarks-partial.md. Sections:
                 ${SECTION_NAMES.join(', ')}
  --last-hop     only what the last hop costs, in a minute; the table goes to stdout
  --output FILE  where the report goes; docs/benchmarks.md by default
`;

function sectionsOf(text: string): readonly SectionName[] {
  return text.split(',').map((name) => {
    const known = SECTION_NAMES.find((section) => section === name);
    if (known === undefined)
      throw new Error(`--only: there is no section ${name}; there are ${SECTION_NAMES.join(', ')}`);
    return known;
  });
}

function outputOf({ quick, only }: { readonly quick: boolean; readonly only?: string | undefined }): string {
  if (only !== undefined) return 'dist/benchmarks-partial.md';
  return quick ? 'dist/benchmarks-quick.md' : 'docs/benchmarks.md';
}

function required(value: string | undefined, name: string): string {
  if (value === undefined) throw new Error(`--${name} is missing; start this by scripts/bench.sh`);
  return value;
}

/** Throws an Error for unknown or missing ones. */
export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      output: { type: 'string' },
      driver: { type: 'string' },
      empty: { type: 'string' },
      floor: { type: 'string' },
      jitter: { type: 'string' },
      program: { type: 'string' },
      'go-plugins': { type: 'string' },
      'go-version': { type: 'string' },
    },
  });
  return {
    quick: values.quick,
    only: values.only === undefined ? undefined : sectionsOf(values.only),
    output: values.output ?? outputOf(values),
    driver: required(values.driver, 'driver'),
    empty: required(values.empty, 'empty'),
    floor: required(values.floor, 'floor'),
    jitter: required(values.jitter, 'jitter'),
    program: required(values.program, 'program'),
    goPlugins: required(values['go-plugins'], 'go-plugins'),
    goVersion: required(values['go-version'], 'go-version'),
  };
}
