import type { Platform } from './platform.ts';

/**
 * How each platform is told to let frames of other MAC addresses pass, in both directions. One line each, and each can
 * stand alone in an error message.
 */
const LET_FOREIGN_MACS_PASS: Readonly<Record<Platform, string>> = {
  wifi: 'Wi-Fi: an access point takes frames of one MAC address per station, so use the interface with ipvlan, or a cable.',
  'hyper-v':
    'Hyper-V: turn on MAC address spoofing of the VM\'s network adapter (Set-VMNetworkAdapter -VMName "NAME" -MacAddressSpoofing On).',
  vmware:
    'VMware ESXi: in the security policy of the port group accept forged transmits, MAC address changes and promiscuous mode; on a distributed switch of vSphere 6.7 or later MAC learning and forged transmits do.',
  proxmox:
    'Proxmox: turn off the MAC filter of the VM\'s firewall (Firewall > Options > "MAC filter": No), or the firewall on its network device (firewall=0).',
  virtualbox:
    'VirtualBox: use a bridged adapter with promiscuous mode "Allow All" (VBoxManage modifyvm NAME --nicpromisc1 allow-all).',
  kvm: 'KVM/libvirt: remove the filterref "clean-traffic" or "no-mac-spoofing" of the VM\'s interface; with macvtap set trustGuestRxFilters="yes" on it.',
  xen: 'Xen: let the virtual interface have other MAC addresses (XCP-ng: set its locking mode to "unlocked").',
  cloud:
    'Cloud: virtual networks know only the addresses that they gave out, and no setting lets DHCP of your own through: use the network plugin of the cloud; only in OpenStack can port security be turned off (openstack port set --no-security-group --disable-port-security PORT).',
  unknown:
    'Switch: allow more than one MAC address on the port (port security), and turn off IP source guard and DHCP snooping that verifies MAC addresses there.',
};

/** In the order in which a person at home meets them. */
const ALL: readonly Platform[] = [
  'hyper-v',
  'vmware',
  'proxmox',
  'virtualbox',
  'kvm',
  'xen',
  'wifi',
  'cloud',
  'unknown',
];

/** All of them, that of this platform first. */
export function letForeignMacsPass(platform: Platform): readonly string[] {
  const rest = ALL.filter((other) => other !== platform);
  return [platform, ...rest].map((one) => LET_FOREIGN_MACS_PASS[one]);
}
