/** Marks our routes and rules (rtm_protocol, FRA_PROTOCOL): free in iproute2's rt_protos. As node/host/ports.ts has it. */
export const RTPROT_LEASEHOLD = 76;

/** The same for the addresses of leases (IFA_PROTO). */
export const IFAPROT_LEASEHOLD = RTPROT_LEASEHOLD;

/** The guard asks by it whether the node has a route of its own to a service. As node/host/ports.ts has it. */
export const KNOWN_WAY_MARK = 0x4c656173;
