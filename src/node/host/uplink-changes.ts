import type { Mac } from '../../base/mac.ts';
import type { Attachment } from './attachment.ts';
import { whoHas } from './mac-holder.ts';
import type { UplinkSide } from './uplink-side.ts';
import type { HostWorld } from './world.ts';

/** The records of pods name their uplink, which may have another name now. Rejects with SysError. */
export async function followName(
  { store }: Pick<HostWorld, 'store'>,
  attachments: readonly Attachment[],
): Promise<void> {
  for (const attachment of attachments) {
    const { side, record } = attachment;
    if (side === undefined || side.name === record.uplink) continue;
    await store.put({ ...record, uplink: side.name });
    attachment.uplinkRenamed(side.name);
  }
}

/** Says that somebody took the shim's MAC address while it was away: which of the uplink's pods, if it is one. */
export function sayMacTaken(
  world: HostWorld,
  { name: uplink, shimName: shim, shimMac: now }: UplinkSide,
  pods: readonly Attachment[],
  mac: Mac,
): void {
  const records = pods.map(({ record }) => record);
  const fields = { uplink, shim, mac, now, by: whoHas(world, records, mac) ?? 'unknown' };
  world.log.error(fields, "the shim's MAC address was taken by another interface: it has a new one");
}
