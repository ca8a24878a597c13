/**
 * Whether `*` for any characters and `?` for one make a name of a pattern. In steps of the product of the lengths at
 * most, whatever the pattern.
 */
export function matches(pattern: string, name: string): boolean {
  let at = 0;
  let p = 0;
  /** The last `*`, and where in the name what follows it was tried last. */
  let star = -1;
  let tried = 0;
  while (at < name.length) {
    const wanted = pattern[p];
    if (wanted === '*') {
      star = p++;
      tried = at;
    } else if (wanted === '?' || (wanted !== undefined && wanted === name[at])) {
      p += 1;
      at += 1;
    } else if (star >= 0) {
      p = star + 1;
      at = ++tried;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
