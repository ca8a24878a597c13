import type { Mac } from '../base/mac.ts';
import type { LanPorts } from './ports.ts';

/** What the node runs on, as far as it decides how frames of other MAC addresses are let through. */
export type Platform =
  | 'wifi'
  | 'hyper-v'
  | 'vmware'
  | 'proxmox'
  | 'virtualbox'
  | 'kvm'
  | 'xen'
  | 'cloud'
  | 'unknown';

/** Words in the machine's description (SMBIOS) that tell what it is; the first that fits counts. */
const BY_DESCRIPTION: readonly (readonly [RegExp, Platform])[] = [
  // Azure's machines are Hyper-V's; only the asset tag tells (fixed for all of them).
  [/7783-7084-3265-9085-8269-3286-77|Amazon EC2|Google Compute|DigitalOcean|Hetzner|OpenStack/i, 'cloud'],
  [/OracleCloud|Alibaba|Scaleway|Vultr|Linode|Akamai/i, 'cloud'],
  [/Microsoft Corporation.*Virtual Machine/i, 'hyper-v'],
  [/VMware/i, 'vmware'],
  [/VirtualBox|innotek/i, 'virtualbox'],
  [/QEMU|KVM|Bochs|oVirt/i, 'kvm'],
  [/\bXen\b/i, 'xen'],
];

/** The first three octets that each gives to its guests (IEEE's registry; QEMU's is 52:54:00). */
const BY_MAC: readonly (readonly [string, Platform])[] = [
  ['bc:24:11', 'proxmox'],
  ['00:15:5d', 'hyper-v'],
  ['00:50:56', 'vmware'],
  ['00:0c:29', 'vmware'],
  ['08:00:27', 'virtualbox'],
  ['52:54:00', 'kvm'],
];

const DMI = '/sys/class/dmi/id';
const DESCRIPTIONS = ['sys_vendor', 'product_name', 'bios_vendor', 'chassis_vendor', 'chassis_asset_tag'];

/**
 * Wi-Fi counts before all else. Then the description of the machine, and the uplink's MAC, which also tells Proxmox
 * from other users of QEMU. "unknown" is hardware, or something that does not say what it is.
 */
export function detectPlatform(
  ports: Pick<LanPorts, 'readLine' | 'exists'>,
  link: { readonly name: string; readonly mac?: Mac | undefined },
): Platform {
  if (isWireless(ports, link.name)) return 'wifi';
  const text = DESCRIPTIONS.map((file) => ports.readLine(`${DMI}/${file}`) ?? '').join(' ');
  const described = BY_DESCRIPTION.find(([words]) => words.test(text))?.[1];
  const byMac = BY_MAC.find(([prefix]) => link.mac?.startsWith(prefix) === true)?.[1];
  if (byMac === 'proxmox' && (described === 'kvm' || described === undefined)) return 'proxmox';
  return described ?? byMac ?? 'unknown';
}

/** cfg80211 gives its interfaces one of these (net/wireless/core.c, net/wireless/wext). */
export function isWireless(ports: Pick<LanPorts, 'exists'>, name: string): boolean {
  const folder = `/sys/class/net/${name}`;
  return ports.exists(`${folder}/wireless`) || ports.exists(`${folder}/phy80211`);
}
