import { IPV4_ANY } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import type { Dhcp4Message } from '../../src/wire/dhcp4/message.ts';

/** A message in which nothing is said but what a test states. */
export function dhcp4Message(
  stated: Partial<Dhcp4Message> & Pick<Dhcp4Message, 'op' | 'options'>,
): Dhcp4Message {
  return {
    xid: 1,
    secs: 0,
    broadcast: false,
    ciaddr: IPV4_ANY,
    yiaddr: IPV4_ANY,
    siaddr: IPV4_ANY,
    giaddr: IPV4_ANY,
    chaddr: mac('02:00:5e:10:00:01'),
    sname: '',
    file: '',
    ...stated,
  };
}
