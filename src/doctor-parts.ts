import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { millis } from './base/time.ts';
import type { DoctorParts } from './cli/doctor-parts.ts';
import { lanFindings } from './doctor/lan.ts';
import { DEFAULT_PLACES } from './doctor/local/places.ts';
import { KernelNodeFacts } from './kernel/node-facts.ts';
import { probePorts } from './kernel/probe-ports.ts';
import { Rtnl } from './kernel/rtnl.ts';
import { openTimers } from './kernel/timers.ts';

/** What `doctor` and `conflist` look at this machine with. `root`: where Leasehold itself lies. */
export function openDoctorParts(root: string): Promise<DoctorParts> {
  const rtnl = Rtnl.open();
  const timers = openTimers();
  const ports = probePorts(rtnl, timers);
  const relay = join(root, 'dist', 'cni', 'leasehold');
  return Promise.resolve({
    facts: new KernelNodeFacts(rtnl),
    places: { ...DEFAULT_PLACES, relay: existsSync(relay) ? relay : undefined },
    lan: (uplink, quick, known) =>
      lanFindings(ports, uplink, { known: () => known, ...(quick ? { patience: millis(0) } : {}) }),
    close: async () => {
      timers.close();
      await rtnl.close();
    },
  });
}
