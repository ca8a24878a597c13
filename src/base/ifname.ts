import { isPlain } from './outside-text.ts';

/** IFNAMSIZ - 1 (linux/if.h): the most bytes that the name of an interface has. */
export const MAX_IFNAME_BYTES = 15;

/** ALTIFNAMSIZ - 1 (linux/if.h): the most bytes of an alternative name (`ip link property add altname`). */
export const MAX_ALTNAME_BYTES = 127;

/** `isspace` of the kernel goes by bytes and Latin-1, where this one is a space (lib/ctype.c). */
const NO_BREAK_SPACE = 0xa0;

/**
 * Why a text is no name that the kernel gives to an interface and leaves as it is, or undefined. dev_valid_name
 * (net/core/dev.c) refuses most of it; a "%" it takes, and makes "eth0" of "eth%d" (dev_alloc_name).
 */
export function ifnameProblem(text: string): string | undefined {
  return problemOf(text, MAX_IFNAME_BYTES);
}

/** The same for an interface that is there, which may be named by an alternative name too. */
export function linkNameProblem(text: string): string | undefined {
  return problemOf(text, MAX_ALTNAME_BYTES);
}

function problemOf(text: string, most: number): string | undefined {
  if (text === '') return 'is empty';
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > most) return `is longer than ${most} bytes`;
  if (text === '.' || text === '..') return 'is a name that the kernel does not allow';
  // A control or format character is no matter to the kernel, but one in a name only ever serves to deceive a reader.
  if (/[/:\s]/.test(text) || !isPlain(text))
    return 'has a "/", a ":", white space or a control or format character';
  if (bytes.includes(NO_BREAK_SPACE))
    return 'has a character with the byte A0, which the kernel takes for a space';
  return text.includes('%') ? 'has a "%", which the kernel replaces by a number' : undefined;
}
