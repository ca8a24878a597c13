/** RFC 2131 4.1: where servers and relay agents listen, and where clients do. */
export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;
