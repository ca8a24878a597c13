/** What of YAML the files of a node need: scalars and lists of scalars. Anything else is not understood, and gives nothing. */

function linesOf(text: string): readonly string[] {
  return text.split('\n').map((line) => line.replace(/(^|\s)#.*$/, '').trimEnd());
}

/** `key: A`, `key: [A, B]` or a list below it, at the outermost level; `key+:` is how k3s adds to a list. */
export function yamlList(text: string, key: string): readonly string[] {
  const lines = linesOf(text);
  const at = lines.findIndex((line) => line.startsWith(key) && /^\+?\s*:/.test(line.slice(key.length)));
  if (at < 0) return [];
  const inline = (lines[at] ?? '')
    .slice(key.length)
    .replace(/^\+?\s*:/, '')
    .trim();
  const below = lines.slice(at + 1);
  const end = below.findIndex((line) => !/^\s*-\s/.test(line));
  const items = below.slice(0, end < 0 ? below.length : end).map((line) => line.replace(/^\s*-/, ''));
  const parts = inline === '' ? items : inline.replaceAll(/^\[|\]$/g, '').split(',');
  return parts.map(unquoted).filter((part) => part !== '');
}

/** The values of a key at whatever level, each once. */
export function yamlValues(text: string, key: string): readonly string[] {
  const values = linesOf(text).flatMap((line) => {
    const bare = line.replace(/^\s*(?:-\s+)*/, '');
    return bare.startsWith(`${key}:`) ? [unquoted(bare.slice(key.length + 1))] : [];
  });
  return [...new Set(values.filter((value) => value !== ''))];
}

function unquoted(text: string): string {
  return text.trim().replace(/^(["'])(.*)\1$/, '$2');
}
