import type { Finding } from '../finding.ts';
import type { Check } from './check.ts';
import { programOf } from '../../node/services/argv.ts';

/** The Go `dhcp` plugin's daemon, or what it left behind. Two daemons hold leases that only one of them knows. */
export const goDaemonCheck: Check = {
  subject: 'a Go dhcp daemon, or a socket that it left',
  look: ({ facts, places }) => {
    const findings: Finding[] = facts
      .processes()
      .filter(({ argv }) => programOf(argv) === 'dhcp' && argv[1] === 'daemon')
      .map(({ pid, argv }) => ({
        id: 'go-daemon-runs',
        severity: 'warning',
        title: `the Go dhcp daemon runs (process ${pid}): it goes on renewing leases that Leasehold knows nothing of`,
        evidence: [`process ${pid}: ${argv.join(' ').slice(0, 200)}`],
        remedy: [
          'systemctl disable --now cni-dhcp.socket cni-dhcp.service, or end the process',
          'then "leasehold adopt", so that running containers keep their leases',
        ],
      }));
    if (facts.look(places.goSocket)?.kind === 'socket' && !facts.listeners().has(places.goSocket)) {
      findings.push({
        id: 'stale-go-socket',
        severity: 'warning',
        title: `nobody listens at ${places.goSocket}, which a killed Go dhcp daemon left behind`,
        evidence: [`${places.goSocket} is a socket; /proc/net/unix has no listener of that path`],
        remedy: [
          `rm ${places.goSocket}`,
          'Leasehold does not use it; a Go dhcp daemon would refuse to start because of it',
        ],
      });
    }
    return findings;
  },
};
