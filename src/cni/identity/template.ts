import { err, ok, type Result } from '../../base/result.ts';
import { nearest } from '../../base/nearest.ts';
import { quoted } from '../spec/errors.ts';

export const PLACEHOLDERS = ['pod', 'namespace', 'container', 'ifname', 'node', 'network'] as const;

export type Placeholder = (typeof PLACEHOLDERS)[number];

/** A text in which `{pod}` and the like stand for what an attachment is called. */
export type Template = readonly ({ readonly text: string } | { readonly placeholder: Placeholder })[];

/** Undefined is what the runtime did not say. */
export type PlaceholderValues = Readonly<Record<Placeholder, string | undefined>>;

/** As long as the longest name that could come of it. */
const MAX_TEMPLATE = 253;
const KNOWN = PLACEHOLDERS.map((name) => `{${name}}`).join(', ');

export function parseTemplate(text: string): Result<Template, string> {
  if (text.length > MAX_TEMPLATE) return err(`is longer than ${MAX_TEMPLATE} characters`);
  const parts: Template[number][] = [];
  for (const piece of text.split(/(\{[^{}]*\})/)) {
    if (piece === '') continue;
    if (!piece.startsWith('{') || !piece.endsWith('}')) {
      if (/[{}]/.test(piece)) return err(`${quoted(text)} has a brace without its other half`);
      parts.push({ text: piece });
      continue;
    }
    const name = piece.slice(1, -1);
    const placeholder = PLACEHOLDERS.find((known) => known === name);
    if (placeholder === undefined) return err(unknown(name));
    parts.push({ placeholder });
  }
  return ok(parts);
}

function unknown(name: string): string {
  const near = nearest(name.toLowerCase(), PLACEHOLDERS);
  const hint = near === undefined ? '' : `did you mean {${near}}? `;
  return `${quoted(`{${name}}`)} is no placeholder: ${hint}Known are ${KNOWN}`;
}

export type Filled =
  | { readonly kind: 'text'; readonly text: string }
  /** The runtime did not say what this placeholder stands for. */
  | { readonly kind: 'without'; readonly placeholder: Placeholder };

/**
 * The text for one attachment. A dot within a value does not separate labels: the pod "web.v2" is one host and not the
 * host "web" of a domain "v2".
 */
export function fillTemplate(template: Template, values: PlaceholderValues): Filled {
  let text = '';
  for (const part of template) {
    if ('text' in part) {
      text += part.text;
      continue;
    }
    const value = values[part.placeholder];
    if (value === undefined) return { kind: 'without', placeholder: part.placeholder };
    text += value.replaceAll('.', '-');
  }
  return { kind: 'text', text };
}
