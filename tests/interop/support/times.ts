/** Seconds after which leases are renewed and rebound, where a server can be told. */
export const T1_SECONDS = 4;
export const T2_SECONDS = 7;
