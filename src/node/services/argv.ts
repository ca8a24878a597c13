import type { NodeProcess } from './ports.ts';

/** The last part of a program's path. k3s writes its own command line into argv[0] as one text: "/usr/local/bin/k3s server". */
export function programOf(argv: readonly string[]): string {
  const path = pathOf(argv);
  return path.slice(path.lastIndexOf('/') + 1);
}

export function pathOf(argv: readonly string[]): string {
  return (argv[0] ?? '').split(' ', 1)[0] ?? '';
}

/** The words behind the program's name: "server", "--flag", "value". */
function wordsOf(argv: readonly string[]): readonly string[] {
  const [own = '', ...rest] = argv;
  return [...own.split(' ').slice(1), ...rest];
}

/** The command of a program that has several: "server" of "k3s --debug server". The first word that is no flag or path. */
export function commandOf(argv: readonly string[]): string | undefined {
  return wordsOf(argv).find((word) => /^[a-z][a-z-]*$/.test(word));
}

/** The value of `--flag=value` or `--flag value`. */
export function flagOf(argv: readonly string[], flag: string): string | undefined {
  const words = wordsOf(argv);
  const at = words.findIndex((word) => word === flag || word.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  const word = words[at] ?? '';
  return word === flag ? words[at + 1] : word.slice(flag.length + 1);
}

/** "k3s (process 4711)", for a person. */
export function named({ pid, argv }: NodeProcess): string {
  return `${programOf(argv)} (process ${pid})`;
}
