import type { Check } from './check.ts';

/** netdev egress hooks came with Linux 5.16 (commit 42df6e1d221d, "netfilter: Introduce egress hook"). */
const EGRESS_SINCE = [5, 16] as const;

export const kernelCheck: Check = {
  subject: "the kernel's version and parts",
  look: ({ facts }) => {
    const release = facts.kernelRelease();
    const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
    const config = facts.readText(`/boot/config-${release}`);
    const [wantedMajor, wantedMinor] = EGRESS_SINCE;
    const old = major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
    const without = config !== undefined && !/^CONFIG_NETFILTER_EGRESS=y$/m.test(config);
    if (!old && !without) return [];
    return [
      {
        id: 'kernel-no-egress',
        severity: 'warning',
        title: `the kernel ${release} has no egress hook: connections by NodePort with local policy get no answers`,
        evidence: [
          old
            ? `netdev egress came with Linux ${wantedMajor}.${wantedMinor}`
            : `CONFIG_NETFILTER_EGRESS is not set in /boot/config-${release}`,
        ],
        remedy: [
          `use a kernel of ${wantedMajor}.${wantedMinor} or later with CONFIG_NETFILTER_EGRESS (Debian 12 has one)`,
          'without it: "lastHop": false in the configuration, and externalTrafficPolicy: Cluster for services',
        ],
      },
    ];
  },
};
