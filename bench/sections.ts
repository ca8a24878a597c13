const HEADING = /^## /m;

/** A section of a Markdown text, from its heading of level two to before the next; undefined when it is not there. */
export function sectionOf(text: string, heading: string): string | undefined {
  const begin = text.indexOf(`${heading}\n`);
  if (begin === -1) return undefined;
  const after = begin + heading.length;
  const next = text.slice(after).search(HEADING);
  return next === -1 ? text.slice(begin) : text.slice(begin, after + next);
}

/** The text with this section instead of the one with the same heading, or with it at the end. */
export function withSection(text: string, heading: string, section: string): string {
  const old = sectionOf(text, heading);
  const ended = `${section.trimEnd()}\n`;
  if (old === undefined) return `${text.trimEnd()}\n\n${ended}`;
  const begin = text.indexOf(old);
  const rest = text.slice(begin + old.length);
  return `${text.slice(0, begin)}${ended}${rest === '' ? '' : '\n'}${rest}`;
}
