/**
 * Why a DHCP message was not taken. One closed list: it is the log field, the counter's label, the words of
 * an ADD's diagnosis and what the tests expect. (Bytes that do not parse have their own list, in wire/.)
 */
export const IGNORE_REASONS = {
  garbled: 'it cannot be read (cut off, an option runs past its end, or no DHCP)',
  'not-a-reply': 'op is not BOOTREPLY',
  'wrong-xid': 'the transaction id is not ours (an answer to an earlier try, or to somebody else)',
  'wrong-mac': 'chaddr is not our MAC address',
  'wrong-client-id': 'the server echoed another client identifier than ours (RFC 6842)',
  'no-message-type': 'option 53 (dhcp-message-type) is missing: a BOOTP answer',
  'malformed-message-type': 'option 53 (dhcp-message-type) is malformed',
  'unexpected-type':
    'this type of message means nothing in the current state (such as a NAK before any REQUEST)',
  'rapid-ack-unmarked':
    'an ACK to a DISCOVER, without option 80 (rapid-commit) in it (RFC 4039 3): no complete exchange',
  'no-nonce':
    'its OFFER has promised a nonce for FORCERENEW (option 145), and the ACK has none (RFC 6704 3.1.4)',
  'offer-not-chosen': 'an OFFER when another one had been taken already',
  'no-server-id': 'option 54 (dhcp-server-identifier) is missing',
  'malformed-server-id': 'option 54 (dhcp-server-identifier) is malformed',
  'other-server': 'it comes from another server than the one that was chosen',
  'server-not-allowed': 'it comes from a server that is not on the list of allowed servers',
  'source-not-allowed':
    'it names an allowed server and comes from an address that is neither in "servers" nor in "relays"',
  'forged-source':
    'it comes from the address of an allowed server or relay, and ARP says that another machine has that address',
  'unconfirmed-source':
    'it comes from the address of an allowed server or relay, and nobody on the LAN answers ARP for it',
  'bad-address':
    'yiaddr is not an address that a host can have (link-local, an end of its own subnet, the address of the server, or none)',
  'protected-network': 'yiaddr lies in a network that the configuration protects ("protect")',
  'other-address': 'the server offers another address than the one that was asked for',
  'held-on-this-node': "the address is another pod's on this node, the node's own, or its router's",
  'in-conflict': 'another host was seen with the address a while ago',
  'malformed-lease-time': 'option 51 (dhcp-lease-time) is malformed',
  'zero-lease-time': 'option 51 (dhcp-lease-time) is 0',
  'lease-over': 'the lease that it grants had ended before it came',
  'malformed-subnet-mask': 'option 1 (subnet-mask) is malformed or not contiguous, or shorter than /8',
} as const;

export type IgnoreReason = keyof typeof IGNORE_REASONS;
