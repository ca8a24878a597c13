import { join } from 'node:path';
import { DHCP_CLIENTS, findCommand, findDhcpClient } from './dhcp-client.ts';
import type { Output } from './lab-output.ts';
import { runInteractive, systemEnv } from './process.ts';

/** Commands that a lab uses, and Debian's packages that have them. */
const NEEDED: readonly (readonly [command: string, debianPackage: string])[] = [
  ['ip', 'iproute2'],
  ['nsenter', 'util-linux'],
  ['flock', 'util-linux'],
  ['ping', 'iputils-ping'],
  ['dnsmasq', 'dnsmasq-base'],
  ['nft', 'nftables'],
  ['bash', 'bash'],
];
/** The smallest one, without a service. */
const DHCP_CLIENT_PACKAGE = 'udhcpc';

export async function missingPackages(): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const [command, debianPackage] of NEEDED) {
    if ((await findCommand(command)) === undefined) missing.push(debianPackage);
  }
  if ((await findDhcpClient()) === undefined) missing.push(DHCP_CLIENT_PACKAGE);
  return [...new Set(missing)];
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** Installs what is missing; false, with the reason said, when the lab cannot run here. */
export async function meetNeeds(root: string, output: Output): Promise<boolean> {
  if (!isRoot()) {
    output.write(
      'leasehold lab: making network namespaces needs root; run it with sudo, or as root in a container\n',
    );
    return false;
  }
  const missing = await missingPackages();
  if (missing.length === 0) return true;
  output.write(`The lab needs ${missing.join(', ')}; installing:\n`);
  await runInteractive(['sh', join(root, 'scripts', 'install-debian.sh'), ...missing], systemEnv());
  const still = await missingPackages();
  if (still.length === 0) return true;
  const client = still.includes(DHCP_CLIENT_PACKAGE)
    ? ` (any of ${DHCP_CLIENTS.join(', ')} will do as DHCP client)`
    : '';
  output.write(`leasehold lab: install ${still.join(', ')} by hand${client}, then run it again\n`);
  return false;
}
