import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { addSquatter } from '../faults/support/squatter.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { ClientLan } from './support/client-lan.ts';
import { CLIENT_SCENARIOS, type ClientScenario } from './support/client-scenarios.ts';
import { comparePage, type Row } from './support/page.ts';
import { CLIENTS, type InteropClient, type ClientRun } from './support/real-clients.ts';

/** What `address-77` gives out. */
const TAKEN = ipv4('192.168.2.77');
const WHY = 'why we are unlike both';

/** What each client did, by the scenario; in the order of CLIENTS. */
type Seen = Map<ClientScenario, readonly string[]>;

/** One run of a client for all rows that look at the same. */
class ClientRuns {
  readonly #lan: ClientLan;
  readonly #started = new Map<string, Promise<ClientRun>>();

  constructor(lan: ClientLan) {
    this.#lan = lan;
  }

  async observe(scenario: ClientScenario): Promise<readonly string[]> {
    return await Promise.all(CLIENTS.map(async (client) => await this.#cell(client, scenario)));
  }

  async #cell(client: InteropClient, scenario: ClientScenario): Promise<string> {
    const { behaviour, probes = false, title } = scenario;
    const key = `${client.name} ${behaviour} ${probes}`;
    const started = this.#started.get(key) ?? client.start(this.#lan, { behaviour, probes });
    this.#started.set(key, started);
    try {
      return await scenario.observe(await started, this.#lan);
    } catch (error) {
      throw new Error(`${client.name}: ${title}`, { cause: error });
    }
  }
}

/** One after the other: what one client of a node was answered is how the next ones of it begin. */
async function inTurn(scenarios: readonly ClientScenario[], runs: ClientRuns, seen: Seen): Promise<void> {
  for (const scenario of scenarios) seen.set(scenario, await runs.observe(scenario));
}

async function seenTogether(seen: Seen): Promise<void> {
  await using lan = await ClientLan.open();
  await addSquatter(lan.site.lan, TAKEN);
  const runs = new ClientRuns(lan);
  const scenarios = CLIENT_SCENARIOS.filter(({ apart = false }) => !apart);
  const plain = scenarios.filter(({ behaviour }) => behaviour === 'good');
  await inTurn(plain, runs, seen);
  const others = scenarios.filter((scenario) => !plain.includes(scenario));
  await Promise.all(others.map(async (scenario) => await inTurn([scenario], runs, seen)));
}

async function seenApart(seen: Seen): Promise<void> {
  const scenarios = CLIENT_SCENARIOS.filter(({ apart = false }) => apart);
  await Promise.all(
    scenarios.map(async (scenario) => {
      await using lan = await ClientLan.open();
      await inTurn([scenario], new ClientRuns(lan), seen);
    }),
  );
}

/** The row, and what is wrong with its reason. */
function rowOf(
  { title, reason }: ClientScenario,
  cells: readonly string[],
): Row & { readonly wrong: string } {
  const [ours, ...theirs] = cells;
  const unlike = !theirs.some((cell) => cell === ours);
  const wrong =
    unlike === (reason !== undefined) ? '' : unlike ? 'no reason is given' : 'has a needless reason';
  return { title, cells: [...cells, reason ?? ''], wrong };
}

describe('what clients do', { skip: NEEDS_ROOT }, () => {
  test('is what docs/interop.md says, and where we are unlike both it is on purpose', async (t) => {
    const seen: Seen = new Map();
    await Promise.all([seenTogether(seen), seenApart(seen)]);
    const rows = CLIENT_SCENARIOS.map((scenario) => rowOf(scenario, seen.get(scenario) ?? []));
    const columns = [...CLIENTS, { name: WHY, pack: undefined }];
    await comparePage('clients', { columns, rows }, (difference) => t.diagnostic(difference));
    assert.deepEqual(
      rows
        .filter(({ wrong }) => wrong !== '')
        .map(({ title, cells, wrong }) => `${title}: ${wrong}: ${cells.join('; ')}`),
      [],
    );
  });
});
