import type { Finding } from '../finding.ts';
import { shimsOf, type Check, type LocalView } from './check.ts';

/** 1: strict, 2: loose (RFC 3704). The kernel takes the larger of "all" and the interface's own. */
const STRICT = 1;

function rpFilter(view: LocalView, name: string): number | undefined {
  const value = view.facts.sysctl(['ipv4', 'conf', name, 'rp_filter']);
  return value === undefined ? undefined : Number(value);
}

export const rpFilterCheck: Check = {
  subject: 'rp_filter of the uplink and the shims',
  look: (view) => {
    const all = rpFilter(view, 'all') ?? 0;
    const shims = shimsOf(view).map(({ name }) => name);
    const names = [...shims, ...(view.uplink === undefined ? [] : [view.uplink.name])];
    return names.flatMap((name): readonly Finding[] => {
      const own = rpFilter(view, name);
      if (own === undefined || Math.max(own, all) !== STRICT) return [];
      const isShim = shims.includes(name);
      return [
        {
          id: 'rp-filter',
          // By the uplink only what another node sends on for a pod comes from an unexpected side.
          severity: isShim ? 'warning' : 'note',
          title: isShim
            ? `${name} drops packets of pods whose way back leads by another interface (strict rp_filter)`
            : `${name} drops packets whose way back leads by another interface (strict rp_filter)`,
          evidence: [`net.ipv4.conf.all.rp_filter = ${all}`, `net.ipv4.conf.${name}.rp_filter = ${own}`],
          remedy: [
            `sysctl -w net.ipv4.conf.${name}.rp_filter=2`,
            'and the same in /etc/sysctl.d, if a file there sets it to 1',
          ],
        },
      ];
    });
  },
};
