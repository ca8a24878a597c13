import { join } from 'node:path';
import { startDhcpClient } from '../../../src/lab/dhcp-client.ts';
import { isErrno } from '../../../src/lab/errno.ts';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import { readInterface, UPLINK } from '../../../src/lab/host.ts';
import { isRunning, signalProcess, stopProcess, type ProcessId } from '../../../src/lab/long-process.ts';
import { logSince } from '../../../src/lab/server.ts';
import { waitFor } from '../../../src/lab/wait.ts';

const STOP_MS = 10_000;

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

/** Ends what is left of the process group that it was started as the leader of. */
function endGroup({ pid }: ProcessId): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

/** Ends it, so that it takes address and routes off the uplink, and starts another, which configures it again. */
export async function restartDhcpcd(lan: HomeLan, host: string): Promise<void> {
  const { namespace } = lan.host(host);
  const dhcpcd = dhcpcdOf(lan, host);
  await stopProcess(dhcpcd, STOP_MS);
  // On a busy machine dhcpcd waits for its own helpers for ever: then it was killed, and they and the address are left.
  endGroup(dhcpcd);
  await namespace.ip('-4', 'addr', 'flush', 'dev', UPLINK);
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
