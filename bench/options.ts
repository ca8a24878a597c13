import { parseArgs } from 'node:util';

export type Options = {
  readonly quick: boolean;
  /** Where the report goes. */
  readonly output: string;
  readonly driver: string;
  readonly empty: string;
  /** A folder with Go's `dhcp` and `macvlan`, and what to say of their version. */
  readonly goPlugins: string;
  readonly goVersion: string;
};

export const USAGE = `make bench [BENCH_ARGS="--quick --output FILE"]

  --quick        about four minutes instead of about twelve; the report goes to dist/benchmarks-quick.md
  --last-hop     only what the last hop costs, in a minute; the table goes to stdout
  --output FILE  where the report goes; docs/benchmarks.md by default
`;

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
      output: { type: 'string' },
      driver: { type: 'string' },
      empty: { type: 'string' },
      'go-plugins': { type: 'string' },
      'go-version': { type: 'string' },
    },
  });
  return {
    quick: values.quick,
    output: values.output ?? (values.quick ? 'dist/benchmarks-quick.md' : 'docs/benchmarks.md'),
    driver: required(values.driver, 'driver'),
    empty: required(values.empty, 'empty'),
    goPlugins: required(values['go-plugins'], 'go-plugins'),
    goVersion: required(values['go-version'], 'go-version'),
  };
}
