/** Colours of a terminal, or none: each function returns its text, changed or not. */
export type Style = {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
};

/** ECMA-48 select graphic rendition: set and reset parameters. */
function sgr(on: number, off: number): (text: string) => string {
  return (text) => `\u001B[${on}m${text}\u001B[${off}m`;
}

const DEFAULT_COLOUR = 39;
const NORMAL_INTENSITY = 22;

export const COLOURED: Style = {
  bold: sgr(1, NORMAL_INTENSITY),
  dim: sgr(2, NORMAL_INTENSITY),
  good: sgr(32, DEFAULT_COLOUR),
  bad: sgr(31, DEFAULT_COLOUR),
  warn: sgr(33, DEFAULT_COLOUR),
};

const same = (text: string): string => text;
export const PLAIN: Style = { bold: same, dim: same, good: same, bad: same, warn: same };

/** Colour on a terminal only, and never when NO_COLOR is set and not empty (https://no-color.org). */
export function styleFor(
  output: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const refused = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return output.isTTY === true && !refused ? COLOURED : PLAIN;
}
