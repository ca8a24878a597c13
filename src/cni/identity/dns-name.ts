import { MAX_LABEL, MAX_NAME } from '../../base/dns-name.ts';

/**
 * A text as one label of a host name (RFC 1123 2.1: letters, digits, hyphens within). What is not allowed becomes a
 * hyphen; empty when nothing is left. Case is kept.
 */
export function cleanLabel(text: string): string {
  return trimHyphens(trimHyphens(text.replaceAll(/[^A-Za-z0-9-]/gu, '-')).slice(0, MAX_LABEL));
}

function trimHyphens(text: string): string {
  let start = 0;
  let end = text.length;
  while (text[start] === '-') start++;
  while (end > start && text[end - 1] === '-') end--;
  return text.slice(start, end);
}

/**
 * A text with dots as a host name without its trailing dot; empty when nothing is left. A name that is too long keeps
 * as many of its first labels as fit.
 */
export function cleanName(text: string): string {
  let name = '';
  for (const part of text.split('.')) {
    const label = cleanLabel(part);
    if (label === '') continue;
    const longer = name === '' ? label : `${name}.${label}`;
    if (longer.length > MAX_NAME) break;
    name = longer;
  }
  return name;
}
