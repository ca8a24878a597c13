import type { Finding } from '../finding.ts';
import type { Check } from './check.ts';
import type { HostView } from './ports.ts';

type Nested = HostView['nested'][number];

const REMEDY = [
  'NET_ADMIN in a pod on a shared LAN is trust in that pod: take the capability from it (and "privileged"), or trust it',
  'docs/security.md says what such a pod can do',
];

function whose({ pod, ifname, ended }: Nested): string {
  if (pod === undefined) return 'an interface that is in no pod of Leasehold';
  const link = ifname ?? 'an interface';
  return ended ? `${link} of ${pod}, which is gone,` : `${link} in ${pod}`;
}

function findingOf(nested: Nested): Finding {
  const { uplink, mac, macvlanMode, ended, takes } = nested;
  const evidence = [
    `${mac} on ${uplink}${macvlanMode === undefined ? '' : `, macvlan mode ${macvlanMode}`} ("bridge fdb show dev ${uplink}")`,
  ];
  if (takes === undefined && ended) {
    return {
      id: 'link-outlives-pod',
      severity: 'warning',
      title: `${whose(nested)} is up on ${uplink} in another network namespace: its lease is not released`,
      evidence,
      remedy: [
        `find it by its MAC address in one of the namespaces that "lsns -t net" shows (nsenter -t PID -n ip -d link), and delete it there`,
        ...REMEDY,
      ],
    };
  }
  if (takes === undefined) {
    return {
      id: 'nested-link',
      severity: 'note',
      title: `${whose(nested)} stands on ${uplink} and has no lease here: whoever made it can be anybody on the LAN`,
      evidence,
      remedy: ['where another plugin attached it (a second network by Multus), all is well', ...REMEDY],
    };
  }
  return {
    id: 'mac-taken',
    severity: 'error',
    title: `${whose(nested)} has the MAC address of ${takes}: pods that send to ${takes} reach it instead`,
    evidence: [...evidence, `ip neigh show ${takes} dev ${uplink} gives the same MAC address`],
    remedy: REMEDY,
  };
}

export const nestedCheck: Check = {
  subject: 'what pods have made for themselves on the uplinks',
  look: ({ daemon }) => (daemon.host?.nested ?? []).map(findingOf),
};
