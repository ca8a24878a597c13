import { statSync } from 'node:fs';
import type { OpenDoctor } from './cli/doctor-parts.ts';
import type { InstallParts } from './cli/install.ts';
import { WHOLE_NETWORK } from './cni/leasehold/whole-network.ts';
import type { Cidr } from './base/cidr.ts';
import type { Ipv4 } from './base/ipv4.ts';

/** What `install` and `uninstall` need of this machine. */
export function installParts(tree: string, version: () => string, openDoctor: OpenDoctor): InstallParts {
  return {
    tree,
    version,
    conflist: async ({ services, forImage }) =>
      forImage
        ? // Nobody knows its node yet.
          { conflist: WHOLE_NETWORK, remarks: [], unknownServices: undefined }
        : await conflistHere(openDoctor, services),
    statesServices: async (configPath) => {
      const { loadConfig } = await import('./daemon/config.ts');
      return loadConfig(configPath).services.length > 0;
    },
    service: {
      // sd_booted(3) looks at the same folder.
      isRunning: () => statSync('/run/systemd/system', { throwIfNoEntry: false })?.isDirectory() === true,
      systemctl: async (args) => {
        const { systemctl } = await import('./kernel/systemctl.ts');
        return await systemctl(args);
      },
    },
  };
}

/** As `leasehold conflist` prints it. */
async function conflistHere(
  openDoctor: OpenDoctor,
  services: readonly Cidr<Ipv4>[],
): ReturnType<InstallParts['conflist']> {
  const [{ generateConflist }, { viewNode }, { placesHere }, { facts, places, close }] = await Promise.all([
    import('./doctor/conflist/generate.ts'),
    import('./doctor/local/local-findings.ts'),
    import('./doctor/local/places.ts'),
    openDoctor(),
  ]);
  try {
    const here = placesHere(facts, places, { cniConf: undefined, cniBins: [] });
    // The daemon is not asked: it is not there yet.
    const nobody = { socket: '', state: 'absent', spooled: 0 } as const;
    const view = await viewNode(facts, here, nobody, undefined);
    const { conflist, remarks } = generateConflist(view, { master: undefined, services });
    // Where it goes is install's own business.
    const { kubelet, networks } = view.search;
    return {
      conflist,
      remarks: remarks.filter((remark) => !remark.startsWith('goes to ')),
      unknownServices: networks.length + services.length === 0 ? kubelet : undefined,
    };
  } finally {
    await close();
  }
}
