import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';

/** Who answers ARP on the uplink for the address that a message came from. */
export type Holder =
  /** The Ethernet address that sent it. */
  | 'sender'
  /** Another one. */
  | 'other'
  /** None. */
  | 'nobody'
  /** There is no uplink to ask from. */
  | 'unasked';

/** Where a message came from, by the headers around it. Whoever can forge option 54 can forge each of them, too. */
export type Source = {
  /** The source of the IP packet. */
  readonly address: Ipv4;
  /** The source of the Ethernet frame. */
  readonly mac: Mac;
  /** Undefined where ARP was not asked, though it could have been. */
  readonly holder: Holder | undefined;
};

/** For a person: "192.168.2.1 from 02:00:5e:10:00:01". */
export function sourceText({ address, mac }: Source): string {
  return `${address} from ${mac}`;
}
