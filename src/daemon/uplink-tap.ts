import { openTap } from '../kernel/packet-tap.ts';
import type { LeaseLog, OpenTap } from '../lease/ports.ts';
import { dhcpClientFilter } from '../wire/bpf.ts';

/** The tap of an uplink, for the answers of DHCP servers and for ARP. What goes wrong with it later is counted and said. */
export function openUplinkTap(log: Pick<LeaseLog, 'warn'>, count: (event: string) => void): OpenTap {
  const filter = dhcpClientFilter();
  return (uplinkIndex, onFrame) => {
    const tap = openTap(uplinkIndex, filter);
    tap.onFrame(
      (frame, { checksumReady, outgoing }) => onFrame(frame, checksumReady, outgoing),
      (error) => {
        count('tap-error');
        log.warn({ uplinkIndex, error: error.message }, 'the uplink can not be listened to for now');
      },
    );
    return {
      attached: () => tap.attached(),
      hearOutgoing: (on) => tap.hearOutgoing(on),
      close: () => void tap.close(),
    };
  };
}
