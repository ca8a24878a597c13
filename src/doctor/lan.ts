import { isSysError } from '../base/sys-error.ts';
import type { Duration } from '../base/time.ts';
import { dhcpFindings, lanIsFine } from './dhcp-findings.ts';
import { DEFAULT_BUDGET, DEFAULT_PATIENCE, probeLan } from './dhcp-probe.ts';
import type { PodExtras } from '../protocol/dhcp4/extras.ts';
import type { Finding, Severity } from './finding.ts';
import { hasMac, uplinkFinding } from './link-findings.ts';
import type { LanFacts } from './lan-facts.ts';
import { detectPlatform, type Platform } from './platform.ts';
import type { KnownLan, LanPorts } from './ports.ts';

export type LanOptions = {
  /** How long the probe listens; 1.5 s. */
  readonly budget?: Duration;
  /** How much longer while something is not answered; 6.5 s: servers may ping an address first. 0: not longer. */
  readonly patience?: Duration;
  /** What pods say beside the plain messages of the probe; else what they do by default. */
  readonly extras?: PodExtras | undefined;
  /** Ends it at once, with what is known by then. */
  readonly signal?: AbortSignal;
  /** What the daemon knows of the servers behind this uplink. Asked when the probe has ended. */
  readonly known?: (uplink: string) => KnownLan | undefined;
};

/**
 * What the LAN says to an uplink: findings, worst first; one of severity `ok` when nothing is wrong. `uplink` is its
 * name, undefined when no interface has a default route. Changes nothing on the node and takes no lease. What the kernel
 * refuses is a finding, no rejection.
 */
export async function lanFindings(
  ports: LanPorts,
  uplink: string | undefined,
  options: LanOptions = {},
): Promise<readonly Finding[]> {
  const findings = await causes(ports, uplink, options);
  return findings.toSorted((a, b) => WEIGHT[a.severity] - WEIGHT[b.severity]);
}

const WEIGHT: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2, ok: 3 };

/**
 * The same in the order of what they explain: the first is the cause of the others, if they have one. `early` is told
 * what is known after the budget, if that is not the end.
 */
export async function causes(
  ports: LanPorts,
  uplink: string | undefined,
  options: LanOptions & { readonly early?: (findings: readonly Finding[]) => void },
): Promise<readonly Finding[]> {
  const { budget = DEFAULT_BUDGET, patience = DEFAULT_PATIENCE, extras, early, signal, known } = options;
  try {
    const link = uplink === undefined ? undefined : await ports.link(uplink);
    const unfit = uplinkFinding(uplink, link);
    if (unfit !== undefined) return [unfit];
    if (link === undefined || !hasMac(link)) return [];
    const platform = detectPlatform(ports, link);
    const facts = await probeLan(ports, link, {
      budget,
      patience,
      extras,
      signal,
      early: early && ((soFar) => early(verdict(soFar, platform, known?.(link.name)))),
    });
    return verdict(facts, platform, known?.(link.name));
  } catch (error) {
    if (!isSysError(error)) throw error;
    return [
      {
        id: 'probe-failed',
        severity: 'error',
        title: `the LAN of ${uplink ?? 'the uplink'} could not be probed`,
        evidence: [error.message],
        remedy: ['Run it as root (CAP_NET_RAW) in the network namespace of the node.'],
      },
    ];
  }
}

function verdict(facts: LanFacts, platform: Platform, known: KnownLan | undefined): readonly Finding[] {
  const found = dhcpFindings(facts, platform, known);
  const wrong = found.some(({ severity }) => severity === 'error' || severity === 'warning');
  return wrong ? found : [...found, lanIsFine(facts)];
}
