import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Fight } from './repairs.ts';
import type { LeftOut } from './service-networks.ts';
import type { UplinkStatus } from './side-owner.ts';

/** The node's side as it is at one moment. */
export type HostStatus = {
  readonly uplinks: readonly UplinkStatus[];
  readonly services: readonly Cidr<Ipv4>[];
  /** Named, but not in use. */
  readonly servicesLeftOut: readonly LeftOut[];
  readonly attachments: number;
  readonly guard: { readonly problem: string | undefined };
  readonly repairs: number;
  readonly fights: readonly Fight[];
};
