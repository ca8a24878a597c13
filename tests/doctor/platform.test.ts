import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mac } from '../../src/base/mac.ts';
import { letForeignMacsPass } from '../../src/doctor/platform-remedies.ts';
import { detectPlatform, type Platform } from '../../src/doctor/platform.ts';

type Row = { readonly sys: Readonly<Record<string, string>>; readonly mac?: string; readonly is: Platform };

const dmi = (vendor: string, product: string, more: Readonly<Record<string, string>> = {}): Row['sys'] => ({
  '/sys/class/dmi/id/sys_vendor': vendor,
  '/sys/class/dmi/id/product_name': product,
  ...more,
});
const TAG = '/sys/class/dmi/id/chassis_asset_tag';
const AZURE = '7783-7084-3265-9085-8269-3286-77';

const ROWS: readonly Row[] = [
  { sys: dmi('Microsoft Corporation', 'Virtual Machine'), is: 'hyper-v' },
  { sys: dmi('Microsoft Corporation', 'Virtual Machine', { [TAG]: AZURE }), is: 'cloud' },
  { sys: dmi('Microsoft Corporation', 'Surface Laptop'), is: 'unknown' },
  { sys: dmi('VMware, Inc.', 'VMware7,1'), is: 'vmware' },
  { sys: dmi('innotek GmbH', 'VirtualBox'), is: 'virtualbox' },
  { sys: dmi('QEMU', 'Standard PC (Q35 + ICH9, 2009)'), is: 'kvm' },
  { sys: dmi('QEMU', 'Standard PC (i440FX + PIIX, 1996)'), mac: 'bc:24:11:00:00:01', is: 'proxmox' },
  { sys: dmi('Red Hat', 'KVM'), is: 'kvm' },
  { sys: dmi('Xen', 'HVM domU'), is: 'xen' },
  { sys: dmi('Amazon EC2', 't3.micro'), is: 'cloud' },
  { sys: dmi('Google', 'Google Compute Engine'), is: 'cloud' },
  { sys: dmi('OpenStack Foundation', 'OpenStack Nova'), is: 'cloud' },
  { sys: dmi('Hetzner', 'vServer'), is: 'cloud' },
  { sys: dmi('Dell Inc.', 'OptiPlex 7050'), is: 'unknown' },
  { sys: {}, is: 'unknown' },
  { sys: {}, mac: '00:15:5d:01:02:03', is: 'hyper-v' },
  { sys: {}, mac: '52:54:00:01:02:03', is: 'kvm' },
  { sys: { '/sys/class/net/eth0/wireless': '' }, is: 'wifi' },
  { sys: { ...dmi('VMware, Inc.', 'VMware7,1'), '/sys/class/net/eth0/phy80211': '' }, is: 'wifi' },
];

test('what the node runs on, by what the machine says of itself and by the MAC of the uplink', () => {
  for (const { sys, mac: address, is } of ROWS) {
    const ports = {
      readLine: (path: string): string | undefined => sys[path],
      exists: (path: string): boolean => sys[path] !== undefined,
    };
    const link = { name: 'eth0', mac: address === undefined ? undefined : mac(address) };
    assert.equal(detectPlatform(ports, link), is, JSON.stringify([sys, address]));
  }
});

test('the remedy of the platform comes first, and none is left out', () => {
  const platforms = [...new Set(ROWS.map(({ is }) => is))];
  for (const platform of platforms) {
    const lines = letForeignMacsPass(platform);
    assert.equal(new Set(lines).size, 9);
    assert.equal(lines.length, 9);
  }
  assert.match(letForeignMacsPass('wifi')[0] ?? '', /ipvlan/);
  assert.match(letForeignMacsPass('vmware')[0] ?? '', /forged transmits.*promiscuous mode.*MAC learning/);
});
