/** The released versions of the CNI specification, oldest first. Their order is their place in this list. */
export const CNI_VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof CNI_VERSIONS)[number];

export const NEWEST_VERSION: CniVersion = '1.1.0';

/** What a configuration without `cniVersion` means: the key did not exist in the first version. */
export const UNSTATED_VERSION: CniVersion = '0.1.0';

/**
 * The versions of a list that we write. libcni takes the newest of `cniVersions` that it knows since 1.2.0 (runtimes
 * with 1.1.0 ask STATUS and GC), older ones pass over that key and take `cniVersion`, which all of them read.
 */
export const LIST_VERSIONS = { cniVersion: '1.0.0', cniVersions: ['1.0.0', '1.1.0'] } as const;

export function isSupported(text: string): text is CniVersion {
  return CNI_VERSIONS.some((version) => version === text);
}

export function isAtLeast(version: CniVersion, minimum: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(minimum);
}

/** CHECK came with 0.4.0; asked in an older version it is an error of code 1. */
export function knowsCheck(version: CniVersion): boolean {
  return isAtLeast(version, '0.4.0');
}

/** GC came with 1.1.0. */
export function knowsGc(version: CniVersion): boolean {
  return isAtLeast(version, '1.1.0');
}

/** STATUS came with 1.1.0. */
export function knowsStatus(version: CniVersion): boolean {
  return isAtLeast(version, '1.1.0');
}

export type VersionReply = {
  readonly cniVersion: CniVersion;
  readonly supportedVersions: readonly CniVersion[];
};

/** The answer to VERSION, in the version in which it was asked. */
export function versionReply(cniVersion: CniVersion = NEWEST_VERSION): VersionReply {
  return { cniVersion, supportedVersions: CNI_VERSIONS };
}
