import { suiteOf } from '../clause.ts';

// The suites that the tables of RFC 2131 and 2132 name again and again.

/** All that a client sends, with everything configured. */
export const sent = suiteOf(
  'protocol/dhcp4/table5.test.ts',
  'what a client sends with all that may be configured (RFC 2131 table 5)',
);
export const fields = suiteOf(
  'protocol/dhcp4/fields.test.ts',
  'fields and options by state (RFC 2131 tables 4 and 5)',
);
export const selecting = suiteOf('protocol/dhcp4/acquire.test.ts', 'INIT and SELECTING');
export const requesting = suiteOf('protocol/dhcp4/acquire.test.ts', 'REQUESTING');
export const remembered = suiteOf('protocol/dhcp4/remember.test.ts', 'an address that was held before');
export const ANY_SERVER =
  'any server may confirm or refuse it, and an OFFER means nothing (RFC 2131 4.4.2, figure 5)';
export const inBound = suiteOf('protocol/dhcp4/extend.test.ts', 'BOUND');
export const extending = suiteOf('protocol/dhcp4/extend.test.ts', 'RENEWING and REBINDING');
export const refused = suiteOf('protocol/dhcp4/refuse.test.ts', 'NAK');
export const conflict = suiteOf('protocol/dhcp4/refuse.test.ts', 'a conflict');
export const released = suiteOf('protocol/dhcp4/refuse.test.ts', 'release');
export const verifying = suiteOf(
  'protocol/dhcp4/verify.test.ts',
  'the link of a lease in use comes back (RFC 2131 3.7)',
);
export const identity = suiteOf('protocol/dhcp4/extras.test.ts', 'option 61, the identity');
export const extras = suiteOf(
  'protocol/dhcp4/extras.test.ts',
  'a server that is silent to a message with one extra',
);
export const transactionId = suiteOf('protocol/dhcp4/table5.test.ts', 'the transaction id (RFC 2131 4.1)');
export const broadcastBit = suiteOf('protocol/dhcp4/broadcast.test.ts', 'the broadcast bit');
export const times = suiteOf('protocol/dhcp4/lease.test.ts', 'T1 and T2');
export const routes = suiteOf('protocol/dhcp4/lease.test.ts', 'routes');
export const parsed = suiteOf('wire/dhcp4/message.test.ts', 'parseDhcp4');
export const emitted = suiteOf('wire/dhcp4/message.test.ts', 'emitDhcp4');
export const detection = suiteOf('lease/conflict.test.ts', 'conflict detection');
export const lost = suiteOf('lease/life.test.ts', 'a lease that is lost');

/** A scripted server on the wire of a real kernel. */
export const onTheWire = suiteOf(
  'plugins/dhcp-options.test.ts',
  'every key of the ipam section, as the server sees it',
);
export const THE_WHOLE = 'the whole exchange: DISCOVER, REQUEST, and a RELEASE by unicast from the address';
/** Captures at the uplink and at a real server: each way of a message is one of RFC 2131, with its addresses. */
export const captured = suiteOf('faults/kept-leases.test.ts', 'no pod can break its lease', 'at dnsmasq');
export const capturedAtKea = suiteOf('faults/kept-leases.test.ts', 'no pod can break its lease', 'at kea');
export const IN_RENEWING = 'a pod in peace, in RENEWING: the ways of RFC 2131, and no ICMP port unreachable';
export const IN_REBINDING =
  'a pod in peace, in REBINDING: the ways of RFC 2131, and no ICMP port unreachable';
