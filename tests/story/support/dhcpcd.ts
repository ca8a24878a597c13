import { join } from 'node:path';
import { startDhcpClient } from '../../../src/lab/dhcp-client.ts';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import { readInterface, UPLINK } from '../../../src/lab/host.ts';
import { isRunning, signalProcess, stopProcess, type ProcessId } from '../../../src/lab/long-process.ts';
import { logSince } from '../../../src/lab/server.ts';
import { waitFor } from '../../../src/lab/wait.ts';

/** The dhcpcd that manages a host's uplink now. */
function dhcpcdOf(lan: HomeLan, host: string): ProcessId {
  for (const made of lan.resources.made) {
    if (made.kind === 'process' && made.name === `dhcpcd of ${host}` && isRunning(made.id)) return made.id;
  }
  throw new Error(`no dhcpcd runs on ${host}`);
}

/**
 * What `dhcpcd --rebind` does: it reads its configuration again and asks every server for its lease (dhcpcd(8)). Waits
 * until it has one.
 */
export async function rebind(lan: HomeLan, host: string): Promise<void> {
  const said = await logSince(join(lan.folder, host, 'dhcpcd.log'));
  signalProcess(dhcpcdOf(lan, host), 'SIGHUP');
  await waitFor('dhcpcd to have a lease again', async () => / leased \S+ for /.test(await said()), {
    describe: said,
  });
}

/** Ends it, so that it takes address and routes off the uplink, and starts another, which configures it again. */
export async function restartDhcpcd(lan: HomeLan, host: string): Promise<void> {
  const { namespace } = lan.host(host);
  await stopProcess(dhcpcdOf(lan, host));
  const hasAddress = async (): Promise<boolean> =>
    (await readInterface(namespace, UPLINK))?.address !== undefined;
  await waitFor('the address to go', async () => !(await hasAddress()));
  await startDhcpClient(namespace, {
    client: 'dhcpcd',
    host,
    interfaceName: UPLINK,
    folder: join(lan.folder, host),
    resources: lan.resources,
  });
  await waitFor('an address', hasAddress);
}
