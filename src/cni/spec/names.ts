import { isPlain } from '../../base/outside-text.ts';

/** NAME_MAX (linux/limits.h): the spec sets no bound, but ids and names end up in file names. */
export const MAX_NAME_LENGTH = 255;

/** IFNAMSIZ - 1 (linux/if.h). */
export const MAX_IFNAME_BYTES = 15;

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const IFNAME_FORBIDDEN = /[/:\s]/;

/** Why a text is no container id and no network name (the spec has one rule for both), or undefined. */
export function nameProblem(text: string): string | undefined {
  if (text.length > MAX_NAME_LENGTH) return `is longer than ${MAX_NAME_LENGTH} characters`;
  if (NAME.test(text)) return undefined;
  return 'must begin with a letter or digit and have only letters, digits, "_", "." and "-"';
}

/** Why a text is no interface name, or undefined (dev_valid_name in net/core/dev.c and the spec agree). */
export function ifnameProblem(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (new TextEncoder().encode(text).length > MAX_IFNAME_BYTES)
    return `is longer than ${MAX_IFNAME_BYTES} bytes`;
  if (text === '.' || text === '..') return 'is a name that the kernel does not allow';
  // A control or format character is no matter to the kernel, but one in a name only ever serves to deceive a reader.
  if (IFNAME_FORBIDDEN.test(text) || !isPlain(text))
    return 'has a "/", a ":", white space or a control or format character';
  return undefined;
}

/** Why a text is no file name of a plugin that may be looked for in CNI_PATH, or undefined. */
export function pluginNameProblem(text: string): string | undefined {
  if (text.length > MAX_NAME_LENGTH) return `is longer than ${MAX_NAME_LENGTH} characters`;
  if (text.includes('/') || !isPlain(text) || text === '.' || text === '..')
    return 'must be a file name, not a path';
  return undefined;
}
