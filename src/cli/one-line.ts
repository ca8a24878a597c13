import { visible } from '../base/outside-text.ts';

/** An error's message as one line for a terminal. */
export function oneLine(message: string): string {
  return visible(message.replaceAll(/\s*\n\s*/g, ' '));
}
