import { type Ip, ipBits, isIpv4 } from '../base/ip.ts';
import type { NetlinkRequest } from '../wire/netlink/message.ts';
import { addRuleRequest, deleteRuleRequest } from '../wire/netlink/rule.ts';
import { RTPROT_LEASEHOLD } from './own-routes.ts';
import type { Rtnl } from './rtnl.ts';

/**
 * Before the main table, which the kernel asks at 32766 (fib_default_rules_init), and behind what an administrator
 * numbers by hand. With the protocol it is what our rules are known by.
 */
export const ADDRESS_RULE_PRIORITY = 30_000;

/** RT_TABLE_UNSPEC (linux/rtnetlink.h): of a rule to be deleted it is any table. */
const ANY_TABLE = 0;

/** "from ADDRESS lookup TABLE". EEXIST when it is there. */
export function addressRuleRequest(address: Ip, table: number): NetlinkRequest {
  return addRuleRequest({ ...ruleFor(address), table });
}

/** Deletes our rule for this address, whatever its table. ENOENT when there is none. */
export function noAddressRuleRequest(address: Ip): NetlinkRequest {
  return deleteRuleRequest({ ...ruleFor(address), table: ANY_TABLE });
}

function ruleFor(address: Ip) {
  return {
    from: { address, prefix: ipBits(address) },
    priority: ADDRESS_RULE_PRIORITY,
    protocol: RTPROT_LEASEHOLD,
  };
}

/** The tables that rules of ours look up for what comes from this address. */
export async function addressLookups(rtnl: Rtnl, address: Ip): Promise<readonly number[]> {
  const rules = await rtnl.rules.list(isIpv4(address) ? 4 : 6);
  return rules
    .filter(
      ({ from, priority }) =>
        priority === ADDRESS_RULE_PRIORITY && from?.address === address && from.prefix === ipBits(address),
    )
    .map(({ table }) => table);
}
