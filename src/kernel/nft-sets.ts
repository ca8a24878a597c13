/** "netfilter: nf_tables: permit update of set size". */
const CHANGES_SIZES = { major: 6, minor: 5 };

/**
 * Whether a kernel of this release (`uname -r`) changes the size of an nftables set that is there; older ones say that they did.
 * A release that cannot be read counts as an old one.
 */
export function changesSetSizes(release: string): boolean {
  const [, majorText, minorText] = /^(\d{1,5})\.(\d{1,5})/.exec(release) ?? [];
  const [major, minor] = [Number(majorText ?? 0), Number(minorText ?? 0)];
  return major > CHANGES_SIZES.major || (major === CHANGES_SIZES.major && minor >= CHANGES_SIZES.minor);
}
