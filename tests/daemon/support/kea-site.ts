import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { cidr } from '../../../src/base/cidr.ts';
import { CniRuntime } from '../../../src/lab/cni-runtime.ts';
import { HomeLan } from '../../../src/lab/home-lan.ts';
import type { KeaOptions } from '../../../src/lab/server-kea.ts';
import { CNI_BIN } from '../../support/leasehold.ts';
import type { LanSite } from './lan.ts';
import { pathsIn } from './site.ts';

/** A site like `lanSite`, whose server gives leases of seconds; dnsmasq has a floor of two minutes. */
export async function keaSite(
  t: Pick<TestContext, 'after'>,
  leaseSeconds: number,
  dhcp4: NonNullable<KeaOptions['dhcp4']> = {},
): Promise<LanSite> {
  const lan = await HomeLan.create({
    hosts: { node: { address: cidr('192.168.2.10/24') } },
    server: { kind: 'kea', leaseSeconds, dhcp4 },
  });
  t.after(async () => await lan[Symbol.asyncDispose]());
  const paths = pathsIn(join(lan.folder, 'leasehold'));
  await mkdir(paths.folder, { mode: 0o700 });
  const { namespace } = lan.node;
  const env = { LEASEHOLD_SOCKET: paths.socket };
  const runtime = new CniRuntime({ place: namespace, binDirs: [CNI_BIN], env });
  return { namespace, ...paths, resources: lan.resources, lan, runtime };
}
