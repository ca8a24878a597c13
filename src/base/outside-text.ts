/**
 * What deceives a reader or a terminal: controls, format characters (bidirectional ones and tags among them), private and
 * unassigned ones, lone surrogates, line and paragraph separators, and what is drawn as nothing (Unicode's general
 * categories C, Zl and Zp, and the property Default_Ignorable_Code_Point).
 */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const EACH_UNSEEN = new RegExp(UNSEEN, 'gu');
const UTF16_UNIT = /[^]/g;

/** Whether all of a text from outside is seen when it is printed, in the order in which it is written. */
export function isPlain(text: string): boolean {
  return !UNSEEN.test(text);
}

/**
 * A text from outside (a packet, another program, a name that somebody gave) for a person: at most `most` characters of it,
 * with what is not plain as `\u{202e}`. Text that is visible already stays as it is.
 */
export function visible(text: string, most = Number.POSITIVE_INFINITY): string {
  const shown = text.replaceAll(EACH_UNSEEN, (unseen) => `\\u{${(unseen.codePointAt(0) ?? 0).toString(16)}}`);
  return shown.length > most ? `${shown.slice(0, most)}…` : shown;
}

/**
 * The same for JSON text, which means what it meant: what is not plain is escaped as JSON escapes it (RFC 8259 section 7).
 * Newlines stay: JSON has them only between its tokens.
 */
export function visibleJson(json: string): string {
  return json.replaceAll(EACH_UNSEEN, (unseen) =>
    unseen === '\n' ? unseen : unseen.replaceAll(UTF16_UNIT, escapeUnit),
  );
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
