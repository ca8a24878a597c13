/** One subcommand of `leasehold`. `run` gives the exit status; what it throws is printed as one line, status 1. */
export interface Command {
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  readonly summary: string;
  /** It has more to say to `--help` than the usage, and says it itself. */
  readonly hasOwnHelp?: boolean;
  readonly run: (argv: readonly string[]) => Promise<number>;
}

/** A mistake on the command line: printed with the usage, status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
