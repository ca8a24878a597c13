/**
 * After so long nothing is left of an ADD: the address was probed and announced (RFC 5227 1.1: PROBE_WAIT 1 s, three
 * probes 2 s apart, ANNOUNCE_WAIT 2 s, two announcements 2 s apart), and so were the interface's IPv6 addresses.
 */
export const SETTLED_MS = 12_000;

/** Between the block of one side and the next: what a daemon puts off until after its answer is not done in the other's time. */
export const REST_MS = 300;
