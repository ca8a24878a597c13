import { describe, test } from 'node:test';
import { mac, type Mac } from '../../src/base/mac.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { comparePage } from './support/page.ts';
import { SERVERS, type InteropServer } from './support/real-servers.ts';
import { ServerLan } from './support/server-lan.ts';
import { SERVER_SCENARIOS, type ServerScenario } from './support/server-scenarios.ts';

/** The same in each run: some servers choose an address by it. */
function clientOf(scenario: ServerScenario): Mac {
  const number = SERVER_SCENARIOS.indexOf(scenario);
  return mac(`02:5e:00:10:00:${number.toString(16).padStart(2, '0')}`);
}

/**
 * What a server did, by the scenario. One after the other: dnsmasq offers an address to two clients that ask at the same
 * time.
 */
async function column(server: InteropServer): Promise<ReadonlyMap<ServerScenario, string>> {
  await using lan = await ServerLan.open(server);
  const cells = new Map<ServerScenario, string>();
  const later: Promise<void>[] = [];
  for (const scenario of SERVER_SCENARIOS) {
    const name = (cause: unknown): never => {
      throw new Error(`${server.name}, ${scenario.id}`, { cause });
    };
    const seen = await scenario.observe(lan, clientOf(scenario)).catch(name);
    if (typeof seen === 'string') cells.set(scenario, seen);
    else later.push(seen().then((cell) => void cells.set(scenario, cell), name));
  }
  await Promise.all(later);
  return cells;
}

describe('what servers do', { skip: NEEDS_ROOT }, () => {
  test('is what docs/interop.md says', async (t) => {
    const seen = await Promise.all(SERVERS.map(column));
    const rows = SERVER_SCENARIOS.map((scenario) => ({
      title: scenario.title,
      cells: seen.map((cells) => cells.get(scenario) ?? ''),
    }));
    await comparePage('servers', { columns: SERVERS, rows }, (difference) => t.diagnostic(difference));
  });
});
