import { isPlain } from '../../base/outside-text.ts';

/** NAME_MAX (linux/limits.h): the spec sets no bound, but ids and names end up in file names. */
export const MAX_NAME_LENGTH = 255;

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Why a text is no container id and no network name (the spec has one rule for both), or undefined. */
export function nameProblem(text: string): string | undefined {
  if (text.length > MAX_NAME_LENGTH) return `is longer than ${MAX_NAME_LENGTH} characters`;
  if (NAME.test(text)) return undefined;
  return 'must begin with a letter or digit and have only letters, digits, "_", "." and "-"';
}

/** Why a text is no file name of a plugin that may be looked for in CNI_PATH, or undefined. */
export function pluginNameProblem(text: string): string | undefined {
  if (text.length > MAX_NAME_LENGTH) return `is longer than ${MAX_NAME_LENGTH} characters`;
  if (text.includes('/') || !isPlain(text) || text === '.' || text === '..')
    return 'must be a file name, not a path';
  return undefined;
}
