import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import type { UplinkRecord } from './record.ts';
import type { Repairs } from './repairs.ts';

/** Whose pod it is that has an address, by the name of its attachment, and the MAC address that it is behind. */
export type HostClaim = { readonly owner: string; readonly mac: Mac };

/** What an uplink's side needs of who has all of them. */
export interface UplinkSideOwner<UplinkSide> {
  readonly repairs: Repairs;
  /** The record changed: on disk when it resolves. */
  save(record: UplinkRecord): Promise<void>;
  /** The shim is as it should be; `isNew`: it, or its uplink, is another device than before, which the guard names. */
  shimReady(side: UplinkSide, isNew: boolean): Promise<void>;
  /** Whether the side of another uplink stands on this interface. */
  isTaken(index: number, side: UplinkSide): boolean;
  /** Its uplink has another name: in all records when it resolves. Rejects with SysError. */
  renamed(side: UplinkSide, before: UplinkRecord): Promise<void>;
  /** The shim is up with another MAC address than pods know. */
  shimMacChanged(side: UplinkSide, before: Mac): void;
}

export type UplinkStatus = {
  readonly name: string;
  readonly shim: string;
  /** There and up. */
  readonly ready: boolean;
  readonly addresses: readonly Ipv4[];
  readonly pods: number;
  /** Addresses on the shim that others put there. */
  readonly foreign: readonly string[];
  readonly problem: string | undefined;
};
