import { isPlain } from '../../base/outside-text.ts';
import { err, ok } from '../../base/result.ts';
import type { Decoded } from '../../wire/dhcp4/codec.ts';
import { MAX_NAMES, parseName } from '../../wire/dhcp4/codec-name.ts';

/** Option 15 in names: RFC 2132 3.17 has one, configured are also several, with spaces, commas or semicolons between. */
const BETWEEN_NAMES = /[\s,;]+/;

/** The names of option 15 that are domain names, in order. What is none of them would end up in a resolv.conf. */
export function readDomainNames(text: string): Decoded<readonly string[]> {
  // With what cannot be seen it is no list that somebody wrote.
  if (!isPlain(text)) return err('characters that cannot be seen');
  const items = text.split(BETWEEN_NAMES).filter((item) => item !== '');
  const names = items.flatMap((item) => {
    const name = parseName(item);
    return name.ok ? [name.value] : [];
  });
  const left = items.length - names.length;
  if (names.length === 0) return err('no domain name');
  return left === 0
    ? ok(names)
    : { ok: true, value: names, remark: `left out what is no domain name (${left} of ${items.length})` };
}

/** What the pod's resolver gets: the local domain, and where names without a dot are looked for. */
export type ResolverNames = { readonly domain: string | undefined; readonly search: readonly string[] };

/**
 * `domains` are those of option 15, `searchList` option 119. One domain is the domain; several are what a server has
 * that knows no option 119 and means a search list by them, so that they are one, and the first is the domain.
 */
export function resolverNames(domains: readonly string[], searchList: readonly string[]): ResolverNames {
  const names = searchList.length === 0 && domains.length > 1 ? domains : searchList;
  // In whatever case they are written, names are the same (RFC 4343).
  const lower = names.map((name) => name.toLowerCase());
  const search = names.filter((_, i) => lower.indexOf(lower[i] ?? '') === i);
  return { domain: domains[0], search: search.slice(0, MAX_NAMES) };
}
