/** k3s's default service network, and what answers at the first address of it. */
export const SERVICE_NETWORK = '10.43.0.0/16';
export const API_SERVICE = '10.43.0.1';
/** The service's port; the API server itself listens on API_SERVER_PORT of the node. */
export const API_PORT = 443;
export const API_SERVER_PORT = 6443;
/** What this cluster's API server says. */
export const OWN_API = 'own-cluster';
/** A service address for which nobody has a rule. */
export const UNKNOWN_SERVICE = '10.43.77.7';

/** What pods listen on. */
export const POD_PORT = 8080;
export const NODE_PORT = 30_080;
export const WEB_SERVICE = '10.43.5.5';
export const WEB_PORT = 80;
