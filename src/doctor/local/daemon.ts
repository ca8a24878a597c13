import type { Finding } from '../finding.ts';
import type { Check, LocalView } from './check.ts';
import { cniFiles, typesIn } from './cni-files.ts';

/** Types that the daemon serves, under the relay's names. */
const SERVED: ReadonlySet<string> = new Set(['leasehold', 'dhcp']);

function isWanted(view: LocalView): boolean {
  return cniFiles(view.facts, view.places.cniConf).some((file) =>
    typesIn(file).some((type) => SERVED.has(type)),
  );
}

export const daemonCheck: Check = {
  subject: 'the daemon, its socket and spool',
  look: (view) => {
    const { daemon } = view;
    const findings: Finding[] = [];
    const spool = `${daemon.spooled} requests wait in ${daemon.socket}.spool`;
    if (daemon.state === 'absent') {
      const wanted = isWanted(view);
      findings.push({
        id: 'daemon-absent',
        severity: wanted ? 'error' : 'note',
        title: `no daemon runs: nobody answers at ${daemon.socket}`,
        evidence: [daemon.said ?? '', daemon.spooled > 0 ? spool : ''].filter((line) => line !== ''),
        remedy: [
          'systemctl start leasehold, or "leasehold daemon"; journalctl -u leasehold says why it ended',
        ],
      });
    }
    if (daemon.state === 'starting') {
      findings.push({
        id: 'daemon-not-ready',
        severity: 'warning',
        title: 'the daemon is starting or stopping: containers wait for it',
        evidence: [
          daemon.said ?? `${daemon.socket} answers "not ready"`,
          ...(daemon.spooled > 0 ? [spool] : []),
        ],
        remedy: ['look again in a few seconds; journalctl -u leasehold if it stays'],
      });
    }
    if (daemon.state === 'unfit') {
      findings.push({
        id: 'daemon-unfit',
        severity: 'error',
        title: 'the daemon runs, and can attach no pod: it says why',
        evidence: [daemon.said ?? `${daemon.socket} answers "unfit"`],
        remedy: ['do what it says, and look again; a container gets its rights when it is made anew'],
      });
    }
    if (daemon.state === 'silent') {
      findings.push({
        id: 'daemon-silent',
        severity: 'error',
        title: `the daemon at ${daemon.socket} does not answer: no container gets a network, and no lease is renewed`,
        evidence: [
          daemon.said ?? 'it takes connections and says nothing',
          ...(daemon.spooled > 0 ? [spool] : []),
        ],
        remedy: [
          'look whether it is stopped (state T in "ps -C leasehold,node -o pid,state,args"); kill -CONT lets it go on',
          'or systemctl restart leasehold: pods keep their addresses meanwhile; journalctl -u leasehold says more',
        ],
      });
    }
    if (daemon.state === 'odd') {
      findings.push({
        id: 'daemon-odd',
        severity: 'error',
        title: `what answers at ${daemon.socket} is not a daemon of this release`,
        evidence: [daemon.said ?? 'its answers are not understood'],
        remedy: [
          'restart it after an update: systemctl restart leasehold',
          'or name the right socket: --socket',
        ],
      });
    }
    if (daemon.state === 'ready' && daemon.spooled > 0) {
      findings.push({
        id: 'spool-waiting',
        severity: 'note',
        title: spool,
        evidence: ['the daemon takes them up while it runs, at the latest every 30 s'],
        remedy: ['look again in a minute; the log says why one is not taken'],
      });
    }
    return findings;
  },
};
