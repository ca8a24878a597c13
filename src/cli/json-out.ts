import { visibleJson } from '../base/outside-text.ts';

/** Prints a value for programs, and so that it deceives nobody who reads it on a terminal. */
export function printJson(value: unknown): void {
  console.log(visibleJson(JSON.stringify(value, undefined, 2)));
}
