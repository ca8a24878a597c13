import type { TestContext } from 'node:test';
import type { DoctorParts } from '../../src/cli/doctor-parts.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import type { NodeFacts } from '../../src/doctor/local/ports.ts';
import { DEFAULT_PLACES } from '../../src/doctor/local/places.ts';

const LIST = '{"cniVersion":"1.0.0","name":"lan","plugins":[{"type":"leasehold"}]}';
const CIDR = { address: '192.168.77.10', prefix: 24 } as const;

/** A node with one interface and nothing wrong. */
export function quietFacts(more: Partial<NodeFacts> = {}): NodeFacts {
  const link = { index: 2, name: 'eth0', mtu: 1500, up: true, lowerUp: true, wireless: false };
  const address = { index: 2, cidr: CIDR } as unknown as Awaited<ReturnType<NodeFacts['addresses']>>[number];
  const gateway = { dst: { address: '0.0.0.0', prefix: 0 }, index: 2, protocol: 3 };
  const route = gateway as unknown as Awaited<ReturnType<NodeFacts['routes']>>[number];
  return {
    readText: (path) => (path.endsWith('.conflist') ? LIST : undefined),
    list: (folder) => (folder === DEFAULT_PLACES.cniConf ? ['05-leasehold.conflist'] : undefined),
    look: () => ({ kind: 'file', executable: true }),
    digest: () => undefined,
    holds: () => false,
    sysctl: () => '0',
    links: () => Promise.resolve([link]),
    addresses: () => Promise.resolve([address]),
    routes: () => Promise.resolve([route]),
    policyRules: () => Promise.resolve([]),
    routeOf: () => Promise.resolve({ kind: 'route', route, table: 254 }),
    processes: () => [],
    proxyRules: () => Promise.resolve({ iptables: undefined, nftables: undefined }),
    askApi: () => Promise.resolve({ kind: 'failed', why: 'nobody is asked here' }),
    listeners: () => new Set(),
    firewall: () => Promise.resolve({ kind: 'known', forward: [], tables: [] }),
    rules: () => Promise.resolve(undefined),
    clockSynchronised: () => true,
    wallClock: () => Date.UTC(2030, 0),
    kernelRelease: () => '6.12.0',
    ...more,
  };
}

export function partsWith(facts: NodeFacts, heard: readonly Finding[] = []): DoctorParts {
  return {
    facts,
    places: DEFAULT_PLACES,
    lan: () => Promise.resolve(heard),
    close: () => Promise.resolve(),
  };
}

/** What the command prints on stdout from now on, line by line. */
export function printed(t: TestContext): () => string {
  const log = t.mock.method(console, 'log', () => undefined);
  return () => log.mock.calls.map((call) => call.arguments.join(' ')).join('\n');
}
