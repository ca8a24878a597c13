import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { logTail, type LongProcess } from '../../../src/lab/long-process.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import type { Stage } from '../../story/support/stage.ts';
import { insulated } from './insulated.ts';

let runs = 0;

/** dhcpcd for all interfaces of the node, as Debian starts it; returns when the uplink has an address. */
export async function startDhcpcd(stage: Stage, settings: readonly string[] = []): Promise<LongProcess> {
  const { node, lan } = stage;
  runs += 1;
  const configuration = join(lan.folder, `dhcpcd-${runs}.conf`);
  // nodev: there is no udev that would tell of interfaces; the kernel does.
  await writeFile(
    configuration,
    [...settings, 'nodev', 'noarp', 'option subnet_mask, routers', ''].join('\n'),
  );
  const started = await node.namespace.start(
    insulated(['dhcpcd', '-4', '-B', '-f', configuration]),
    { name: 'dhcpcd', logFile: join(lan.folder, `dhcpcd-${runs}.log`) },
    lan.resources,
  );
  await waitFor('an address', async () => (await lan.node.state())?.address !== undefined, {
    deadlineMs: 15_000,
    describe: () => logTail(started.logFile),
  });
  return started;
}
