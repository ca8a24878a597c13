import { parseNetworkList, type NetworkList } from '../../../src/lab/cni-conf.ts';

/** The cure: a whole network, with nothing of this node or another in it. */
export const LEASEHOLD_TEXT =
  '{ "cniVersion": "1.0.0", "name": "lan", "plugins": [ { "type": "leasehold" } ] }';
export const LEASEHOLD = parseNetworkList(LEASEHOLD_TEXT);

/** What a person writes today, for the Go plugins: a pod on the LAN, and nothing for the node and its services. */
export const GO_STYLE = parseNetworkList(
  JSON.stringify({
    cniVersion: '1.0.0',
    name: 'lan',
    plugins: [{ type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } }],
  }),
);

/** The same with `leasehold` behind it. */
export const CHAINED = parseNetworkList(
  JSON.stringify({
    cniVersion: '1.0.0',
    name: 'lan',
    plugins: [
      { type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } },
      { type: 'leasehold', chained: true },
    ],
  }),
);

/** Without what brings answers back the way the question came. */
export const WITHOUT_LAST_HOP = parseNetworkList(
  '{ "cniVersion": "1.0.0", "name": "lan", "plugins": [ { "type": "leasehold", "lastHop": false } ] }',
);

/** What a person writes today to keep service traffic off the LAN: two addresses of their own cluster. */
export function hardCoded(network: string, gateway: string): NetworkList {
  return parseNetworkList(
    JSON.stringify({
      cniVersion: '0.3.1',
      name: 'lan',
      plugins: [
        { type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } },
        { type: 'route-override', addroutes: [{ dst: network, gw: gateway }] },
      ],
    }),
  );
}
