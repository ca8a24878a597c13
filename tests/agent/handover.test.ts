import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { isJsonObject, parseJson } from '../../src/base/json.ts';
import { signalProcess } from '../../src/lab/long-process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import {
  addVariables,
  type Answer,
  assertNothingLeft,
  callRelay,
  hasAddress,
  lanSite,
  NETWORK,
  newPod,
} from '../daemon/support/lan.ts';
import { endBy, storedLeases } from '../daemon/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { type Agent, assertInstalled, probe, startAgent } from './support/agents.ts';

const options = { skip: NEEDS_ROOT };
const CONF = JSON.stringify({ ...NETWORK.plugins[0]?.conf, cniVersion: '1.1.0', name: 'lan' });
const HANDOVERS = 10;
/** Runtimes that call at the same time. */
const CALLERS = 4;

function addressOf({ json }: Answer): string {
  const [first] = Array.isArray(json['ips']) ? json['ips'] : [];
  const address = isJsonObject(first) ? first['address'] : undefined;
  assert.ok(typeof address === 'string', JSON.stringify(json));
  return address.split('/')[0] ?? '';
}

/** When an agent said so, milliseconds. */
function timeOf(agent: Agent, message: RegExp): number {
  const line = agent
    .log()
    .split('\n')
    .find((one) => message.test(one));
  const json = parseJson(line ?? '{}');
  const at = json.ok && isJsonObject(json.value) ? json.value['time'] : undefined;
  assert.ok(typeof at === 'number', line ?? agent.log());
  return at;
}

/** From the one's stop until the next takes calls. */
function gap(first: Agent, next: Agent): number {
  return timeOf(next, /leasehold is ready/) - timeOf(first, /leasehold stops/);
}

test(
  'ten handovers under ADD, CHECK, STATUS and DEL: no call fails, and no lease is lost',
  options,
  async (t) => {
    const site = await lanSite(t);
    let serving = await startAgent(site, 'agent0');
    assertInstalled(site);
    const kept = await newPod(site, 'kept');
    const added = await callRelay(site, addVariables(kept), CONF);
    assert.equal(added.status, 0, added.stdout);
    const pods = await Promise.all(Array.from({ length: CALLERS }, (_, at) => newPod(site, `pod${at}`)));
    const end = new AbortController();
    let calls = 0;
    const call = async (variables: Readonly<Record<string, string>>, stdin: string): Promise<Answer> => {
      const answer = await callRelay(site, variables, stdin);
      assert.equal(answer.status, 0, `${variables['CNI_COMMAND']}: ${answer.stdout}`);
      calls += 1;
      return answer;
    };
    const callers = pods.map(async (pod) => {
      while (!end.signal.aborted) {
        const variables = addVariables(pod);
        const { json } = await call(variables, CONF);
        const checked = JSON.stringify({ ...(JSON.parse(CONF) as object), prevResult: json });
        await call({ ...variables, CNI_COMMAND: 'CHECK' }, checked);
        await call({ CNI_COMMAND: 'STATUS', CNI_PATH: variables['CNI_PATH'] ?? '' }, CONF);
        await call({ ...variables, CNI_COMMAND: 'DEL' }, checked);
      }
    });
    const gaps: number[] = [];
    const handOver = async (): Promise<void> => {
      for (let nth = 1; nth <= HANDOVERS; nth += 1) {
        const next = await startAgent(site, `agent${nth}`);
        assert.deepEqual(await probe(site, next, 'ready'), {
          status: 0,
          stdout: 'standby, ready to take over\n',
        });
        const before = calls;
        assert.equal(await endBy(serving.process, 'SIGTERM'), 'exit status 0');
        await waitFor(
          'the next to serve',
          async () => (await probe(site, next, 'ready')).stdout === 'ready\n',
        );
        await waitFor('calls to go on', () => calls > before + CALLERS);
        gaps.push(gap(serving, next));
        serving = next;
      }
      end.abort();
    };
    await Promise.all([...callers, handOver()]);
    t.diagnostic(`${calls} calls; from the one's stop to the next one's readiness: ${gaps.join(', ')} ms`);
    assert.ok(await hasAddress(kept, addressOf(added)));
    assert.equal((await storedLeases(site.stateDir)).length, 1);
    await call({ ...addVariables(kept), CNI_COMMAND: 'DEL' }, CONF);
    await assertNothingLeft(site, kept);
    assertInstalled(site);
  },
);

test(
  'a killed agent gives way to its standby as well; without one, an ADD hears "try again"',
  options,
  async (t) => {
    const site = await lanSite(t);
    const first = await startAgent(site, 'first');
    const second = await startAgent(site, 'second');
    const third = await startAgent(site, 'third');
    const pod = await newPod(site, 'pod');
    await endBy(first.process, 'SIGKILL');
    const added = await callRelay(site, addVariables(pod), CONF);
    assert.equal(added.status, 0, added.stdout);
    // One of the two that stood by.
    const ready = async (agent: Agent): Promise<boolean> =>
      (await probe(site, agent, 'ready')).stdout === 'ready\n';
    const [serving, standby] = (await ready(second)) ? [second, third] : [third, second];
    assert.ok(await ready(serving));
    // Stopped while it stands by, it leaves all as it is.
    assert.equal(await endBy(standby.process, 'SIGTERM'), 'exit status 0');
    const deleted = await callRelay(site, { ...addVariables(pod), CNI_COMMAND: 'DEL' }, CONF);
    assert.equal(deleted.status, 0, deleted.stdout);
    signalProcess(serving.process, 'SIGTERM');
    await waitFor('the end', () => serving.process.ended());
    assertInstalled(site);
    assert.ok(existsSync(site.socket), 'what a relay waits by');
    const late = await callRelay(site, addVariables(pod), CONF);
    assert.deepEqual([late.status, late.json['code']], [1, 11], late.stdout);
  },
);
