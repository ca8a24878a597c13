import type { HostKernel, HostSysctl } from './ports.ts';
import type { SavedSysctl, UplinkRecord } from './record.ts';

/** Documentation/networking/ip-sysctl.rst: writing to this one writes to all interfaces, and to those that come. */
const ALL = 'all';

type Setting = { readonly family: 'ipv4' | 'ipv6'; readonly key: string; readonly value: string };

/**
 * Documentation/networking/ip-sysctl.rst. `arp_filter`: the shim answers only whom the kernel would reach through it,
 * which is the pods; without it a LAN client would get two answers, the uplink's and the shim's. `rp_filter` 2 (loose):
 * the kernel takes the larger of this and that of "all", so strict filtering there has no say here.
 */
const SHIM: readonly Setting[] = [
  { family: 'ipv4', key: 'forwarding', value: '1' },
  { family: 'ipv4', key: 'rp_filter', value: '2' },
  { family: 'ipv4', key: 'arp_filter', value: '1' },
  { family: 'ipv4', key: 'send_redirects', value: '0' },
  { family: 'ipv4', key: 'accept_redirects', value: '0' },
  // Else it would take an address and a default route from the router's advertisements.
  { family: 'ipv6', key: 'disable_ipv6', value: '1' },
];

/** What comes from the LAN for a service or a pod behind it is passed on. */
const UPLINK: readonly Setting[] = [{ family: 'ipv4', key: 'forwarding', value: '1' }];

/** A sysctl that is not as it should be. */
export type SysctlStep = { readonly item: string; readonly sysctl: HostSysctl; readonly value: string };

function stepsOf(kernel: HostKernel, ifname: string, settings: readonly Setting[]): readonly SysctlStep[] {
  return settings.flatMap(({ family, key, value }) => {
    const sysctl = { family, ifname, key };
    const now = kernel.readSysctl(sysctl);
    const isRight = now === undefined || now === value;
    return isRight ? [] : [{ item: `sysctl net.${family}.conf.${ifname}.${key}`, sysctl, value }];
  });
}

export function planShimSysctls(kernel: HostKernel, shim: string): readonly SysctlStep[] {
  return stepsOf(kernel, shim, SHIM);
}

export function planUplinkSysctls(kernel: HostKernel, uplink: string): readonly SysctlStep[] {
  return stepsOf(kernel, uplink, UPLINK);
}

/** The record with the values that these steps change, unless it has them of this device and boot already. */
export function withSaved(
  kernel: HostKernel,
  record: UplinkRecord,
  steps: readonly SysctlStep[],
  device: { readonly bootId: string; readonly index: number },
): UplinkRecord {
  const { sysctls } = record;
  const isSame = sysctls.bootId === device.bootId && sysctls.index === device.index;
  const known = isSame ? sysctls.saved : [];
  const fresh = steps.flatMap(({ sysctl, value: ours }): readonly SavedSysctl[] => {
    const { key } = sysctl;
    const value = kernel.readSysctl(sysctl);
    if (value === undefined || known.some((one) => one.key === key)) return [];
    const all = kernel.readSysctl({ ...sysctl, ifname: ALL });
    return [{ key, value, ours, ...(all === undefined ? {} : { all }) }];
  });
  if (isSame && fresh.length === 0) return record;
  return { ...record, sysctls: { ...device, saved: [...known, ...fresh] } };
}

/**
 * Puts back what was there before us, where it is still as we set it, and nobody has set the whole node so since: other
 * software counts on that by then (`ip_forward` of Docker and Kubernetes). `ifname`: what the uplink is called now.
 * Says what it did, a line each.
 */
export function restoreSysctls(
  kernel: HostKernel,
  { sysctls }: UplinkRecord,
  ifname: string,
): readonly string[] {
  return sysctls.saved.flatMap(({ key, value, ours, all }) => {
    const sysctl: HostSysctl = { family: 'ipv4', ifname, key };
    const name = `net.ipv4.conf.${ifname}.${key}`;
    if (kernel.readSysctl(sysctl) !== ours) return [];
    if (all !== ours && kernel.readSysctl({ ...sysctl, ifname: ALL }) === ours) {
      return [`left ${name} at ${ours}: the whole node was set so since (net.ipv4.conf.${ALL}.${key})`];
    }
    kernel.writeSysctl(sysctl, value);
    return [`put ${name} back to ${value}`];
  });
}

/** Of an uplink of which no record says how it was: what is perhaps ours, a line each. */
export function unknownSysctls(kernel: HostKernel, ifname: string): readonly string[] {
  return UPLINK.flatMap(({ family, key, value }) => {
    const isAsOurs = kernel.readSysctl({ family, ifname, key }) === value;
    const isOfNode = kernel.readSysctl({ family, ifname: ALL, key }) === value;
    if (!isAsOurs || isOfNode) return [];
    return [`left net.${family}.conf.${ifname}.${key} at ${value}: what it was before is on no record`];
  });
}
