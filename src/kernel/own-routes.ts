/** Marks our routes and rules (rtm_protocol, FRA_PROTOCOL): free in iproute2's rt_protos. As node/host/ports.ts has it. */
export const RTPROT_LEASEHOLD = 76;
