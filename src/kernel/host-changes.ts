import type { Cidr } from '../base/cidr.ts';
import { RT_TABLE_MAIN } from '../wire/netlink/route.ts';
import { unreachable } from '../base/invariant.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { deleteAddressRequest, IFA_F_NOPREFIXROUTE, replaceAddressRequest } from '../wire/netlink/address.ts';
import { setLinkRequest } from '../wire/netlink/link-requests.ts';
import { NUD_PERMANENT, replaceNeighbourRequest } from '../wire/netlink/neighbour.ts';
import {
  addDestinationRuleRequest,
  deleteDestinationRuleRequest,
  type DestinationRule,
} from '../wire/netlink/rule.ts';
import { RT_SCOPE_LINK } from '../wire/netlink/rtnetlink.ts';
import { RTPROT_LEASEHOLD } from './own-routes.ts';
import { putRoute, removeNeighbour, removeRoute, type Step } from './steps.ts';

const WHOLE_ADDRESS = 32;

/** As node/host/ports.ts has it. */
export type HostChange =
  | {
      readonly kind: 'set-link';
      readonly index: number;
      readonly up?: boolean | undefined;
      readonly mtu?: number | undefined;
      readonly mac?: Mac | undefined;
      readonly alias?: string | undefined;
    }
  | { readonly kind: 'add-address'; readonly index: number; readonly address: Ipv4 }
  | { readonly kind: 'remove-address'; readonly index: number; readonly cidr: Cidr<Ipv4> }
  | {
      readonly kind: 'put-route';
      readonly index: number;
      readonly to: Ipv4;
      readonly source: Ipv4 | undefined;
    }
  | { readonly kind: 'remove-route'; readonly index: number; readonly to: Ipv4 }
  | {
      readonly kind: 'put-neighbour';
      readonly index: number;
      readonly address: Ipv4;
      readonly mac: Mac;
    }
  | { readonly kind: 'remove-neighbour'; readonly index: number; readonly address: Ipv4 }
  | ({ readonly kind: 'put-rule' | 'remove-rule' } & RuleName);

/** What a rule of ours is told apart by. */
type RuleName = {
  readonly iif?: string | undefined;
  readonly mark?: number | undefined;
  readonly to: Cidr<Ipv4>;
  readonly priority: number;
  readonly does: 'prohibit' | 'known-way' | 'host-routes';
};

/** The main table without its default route; its routes to single hosts alone. */
const LOOKUPS = {
  'known-way': { table: RT_TABLE_MAIN, suppressPrefixLength: 0 },
  'host-routes': { table: RT_TABLE_MAIN, suppressPrefixLength: WHOLE_ADDRESS - 1 },
} as const;

/** The kernel's request for a change on the node. */
export function stepOf(change: HostChange): Step {
  if ('does' in change) return ruleStep(change);
  const { index } = change;
  switch (change.kind) {
    case 'set-link':
      return { request: setLinkRequest(change), soAlready: [] };
    case 'add-address':
      return { request: replaceAddressRequest(hostAddress(index, change.address)), soAlready: [] };
    case 'remove-address':
      return {
        request: deleteAddressRequest({ index, cidr: change.cidr }),
        soAlready: ['EADDRNOTAVAIL', 'ENODEV'],
      };
    case 'put-route':
      return putRoute({ ...hostRoute(index, change.to), scope: RT_SCOPE_LINK, prefsrc: change.source });
    case 'remove-route':
      return removeRoute(hostRoute(index, change.to));
    case 'put-neighbour': {
      const { address, mac } = change;
      return {
        request: replaceNeighbourRequest({ index, address, mac, state: NUD_PERMANENT }),
        soAlready: [],
      };
    }
    case 'remove-neighbour':
      return removeNeighbour(index, change.address);
    default:
      return unreachable(change);
  }
}

function ruleStep({ kind, ...name }: Extract<HostChange, RuleName>): Step {
  return kind === 'put-rule'
    ? { request: addDestinationRuleRequest(destinationRule(name)), soAlready: ['EEXIST'] }
    : { request: deleteDestinationRuleRequest(destinationRule(name)), soAlready: ['ENOENT'] };
}

function destinationRule({ iif, mark, to, priority, does }: RuleName): DestinationRule {
  return {
    iif,
    mark,
    to,
    priority,
    protocol: RTPROT_LEASEHOLD,
    does: does === 'prohibit' ? does : LOOKUPS[does],
  };
}

/** Replaced, not added: an address that is there with an end of its own (IFA_CACHEINFO) stays for good then. */
function hostAddress(index: number, address: Ipv4): Parameters<typeof replaceAddressRequest>[0] {
  return { index, cidr: { address, prefix: WHOLE_ADDRESS }, flags: IFA_F_NOPREFIXROUTE };
}

function hostRoute(
  index: number,
  to: Ipv4,
): { readonly dst: Cidr<Ipv4>; readonly index: number; readonly protocol: number } {
  return { dst: { address: to, prefix: WHOLE_ADDRESS }, index, protocol: RTPROT_LEASEHOLD };
}
