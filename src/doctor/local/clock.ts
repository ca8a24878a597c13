import type { Finding } from '../finding.ts';
import type { Check } from './check.ts';

/** No release of Leasehold is older: a clock before this is wrong. */
const FIRST_RELEASE = Date.UTC(2026, 0, 1);

/** What keeps a clock, by the name of its program. */
const KEEPERS: ReadonlySet<string> = new Set(['chronyd', 'ntpd', 'ntpd-rs', 'systemd-timesyncd', 'openntpd']);

export const clockCheck: Check = {
  subject: 'the clock',
  look: ({ facts }) => {
    const now = facts.wallClock();
    const shown = `the clock says ${new Date(now).toISOString()}`;
    const why = 'leases run on a clock of their own, but TLS, logs and times in records go by this one';
    if (now < FIRST_RELEASE) {
      return [
        {
          id: 'clock-wrong',
          severity: 'error',
          title: 'the clock of this node is years behind',
          evidence: [shown, why],
          remedy: ['set it: timedatectl set-ntp true, or date -s', 'a machine without a battery needs NTP'],
        },
      ];
    }
    if (facts.clockSynchronised() !== false) return [];
    const keepers = facts.processes().flatMap(({ argv }) => {
      const name = (argv[0] ?? '').split('/').at(-1) ?? '';
      return KEEPERS.has(name) ? [name] : [];
    });
    const finding: Finding = {
      id: 'clock-unsynchronised',
      severity: 'note',
      title: 'the clock of this node is not synchronised',
      evidence: [
        'the kernel says TIME_ERROR (adjtimex)',
        keepers.length === 0 ? 'no NTP program runs' : `runs, but has not set it: ${keepers.join(', ')}`,
        shown,
        why,
      ],
      remedy: ['timedatectl set-ntp true, or install chrony; timedatectl timesync-status shows why it fails'],
    };
    return [finding];
  },
};
