import { visible } from '../../base/outside-text.ts';
import type { Dhcp4Message } from './message.ts';
import { DHCP4_OPTIONS } from './options.ts';

/** As much as a person reads in a line of a log. */
const MOST_CHARACTERS = 120;

const TEXT = new TextDecoder();

/**
 * Why a server refuses, in its own words (option 56, RFC 2132 9.9), for a person: bounded, and with all that is no plain
 * text escaped. It is read whatever it is, for it may be the only hint; undefined where there is none.
 */
export function serverWords({ options }: Dhcp4Message): string | undefined {
  const bytes = options.get(DHCP4_OPTIONS['dhcp-message'].code);
  const words = bytes === undefined ? '' : TEXT.decode(bytes).replace(/\0+$/, '');
  return words === '' ? undefined : visible(words, MOST_CHARACTERS);
}
