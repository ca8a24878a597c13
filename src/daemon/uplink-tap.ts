import { isSysError } from '../base/sys-error.ts';
import { openTap } from '../kernel/packet-tap.ts';
import type { LeaseLog, OpenTap } from '../lease/ports.ts';
import { dhcpClientFilter } from '../wire/bpf.ts';

/** The tap of an uplink, for the answers of DHCP servers and for ARP. What goes wrong with it later is counted and said. */
export function openUplinkTap(log: Pick<LeaseLog, 'warn'>, count: (event: string) => void): OpenTap {
  const nothingClaimed = dhcpClientFilter();
  return (uplinkIndex, onFrame) => {
    const tap = openTap(uplinkIndex, nothingClaimed);
    tap.onFrame(
      (frame, { checksumReady }) => onFrame(frame, checksumReady),
      (error) => {
        count('tap-error');
        log.warn({ uplinkIndex, error: error.message }, 'the uplink cannot be listened to for now');
      },
    );
    return {
      attached: () => tap.attached(),
      letIn: (address) => {
        try {
          return tap.letIn(address);
        } catch (error) {
          if (!isSysError(error)) throw error;
          // The interface goes: so does all that would be heard.
          count('tap-error');
          return () => undefined;
        }
      },
      hearClaims: (addresses) => {
        try {
          tap.filter(dhcpClientFilter(addresses));
        } catch (error) {
          if (!isSysError(error)) throw error;
          count('tap-filter-failed');
          log.warn(
            { uplinkIndex, addresses: addresses.length, error: error.message },
            'hosts that use the address of a pod may be noticed late: the filter of the uplink cannot be changed',
          );
        }
      },
      close: () => void tap.close(),
    };
  };
}
