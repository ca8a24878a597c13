import { type Cidr, networkOf } from '../base/cidr.ts';
import { IPV4_ANY, type Ipv4, isHostIpv4, prefixFromMask } from '../base/ipv4.ts';
import type { DhcpMessageType } from '../wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../wire/dhcp4/message.ts';
import { readOption } from '../wire/dhcp4/options.ts';

/** What a server said, as far as servers are compared by it. */
export type ServerAnswer = {
  readonly type: DhcpMessageType;
  readonly serverId: Ipv4;
  readonly relay: Ipv4 | undefined;
  readonly address: Ipv4;
  readonly network: Cidr<Ipv4> | undefined;
  readonly routers: readonly Ipv4[];
};

const MOST_ROUTERS = 4;

/** Undefined for what is no message of a server. One without an identifier goes by the address that it came from. */
export function readOffer(message: Dhcp4Message, src: Ipv4): ServerAnswer | undefined {
  const type = readOption(message.options, 'dhcp-message-type');
  if (type.kind !== 'value') return undefined;
  const serverId = readOption(message.options, 'dhcp-server-identifier');
  const routers = readOption(message.options, 'routers');
  return {
    type: type.value,
    serverId: serverId.kind === 'value' ? serverId.value : src,
    relay: message.giaddr === IPV4_ANY ? undefined : message.giaddr,
    address: message.yiaddr,
    network: readNetwork(message),
    routers: routers.kind === 'value' ? routers.value.filter(isHostIpv4).slice(0, MOST_ROUTERS) : [],
  };
}

function readNetwork(message: Dhcp4Message): Cidr<Ipv4> | undefined {
  const mask = readOption(message.options, 'subnet-mask');
  const prefix = mask.kind === 'value' ? prefixFromMask(mask.value) : undefined;
  return prefix === undefined ? undefined : networkOf({ address: message.yiaddr, prefix });
}
