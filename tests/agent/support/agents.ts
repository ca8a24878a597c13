import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { getOverSocket } from '../../../src/lab/daemon.ts';
import { type LongProcess, waitUntilReady } from '../../../src/lab/long-process.ts';
import { CNI_BIN } from '../../support/leasehold.ts';
import { LEASEHOLD, pathArguments, type Site } from '../../daemon/support/site.ts';

export const PROBE = resolve(CNI_BIN, 'leasehold-probe');

/** An agent, and what is its own. */
export type Agent = {
  readonly process: LongProcess;
  readonly probeSocket: string;
  readonly log: () => string;
};

export type AgentStart = {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly wrap?: readonly string[];
};

/** The node's folders of a site. */
export function foldersIn(site: Pick<Site, 'folder'>): { readonly bin: string; readonly conf: string } {
  return { bin: join(site.folder, 'opt/cni/bin'), conf: join(site.folder, 'etc/cni/net.d') };
}

export function agentArguments(site: Site): readonly string[] {
  const { bin, conf } = foldersIn(site);
  return ['agent', ...pathArguments(site), '--cni-bin-dir', bin, '--cni-conf-dir', conf];
}

/** Starts one and waits until its probe says ready, be it as a standby. */
export async function startAgent(site: Site, name: string, start: AgentStart = {}): Promise<Agent> {
  const probeSocket = join(site.folder, name, 'probe.sock');
  const logFile = join(site.folder, `${name}.log`);
  const { args = [], wrap = [], env } = start;
  const command = [...wrap, LEASEHOLD, ...agentArguments(site), '--probe-socket', probeSocket, ...args];
  const started = await site.namespace.start(
    command,
    { name: `agent ${name}`, logFile, env },
    site.resources,
  );
  await waitUntilReady(started, async () => (await getOverSocket(probeSocket, '/ready'))?.status === 200);
  return { process: started, probeSocket, log: () => readFileSync(logFile, 'utf8') };
}

/** What the probe program of the image says, and its status. */
export async function probe(
  site: Site,
  agent: Pick<Agent, 'probeSocket'>,
  what: string,
): Promise<{ readonly status: number; readonly stdout: string }> {
  const env = { LEASEHOLD_PROBE_SOCKET: agent.probeSocket };
  const { status, stdout } = await site.namespace.runToEnd([PROBE, what], { env });
  return { status, stdout };
}

/** The names in a folder of the node, none where it is not there. */
export function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).toSorted() : [];
}

export function assertInstalled(site: Site): void {
  const { bin, conf } = foldersIn(site);
  assert.deepEqual(namesIn(bin), ['leasehold', 'loopback']);
  for (const name of namesIn(bin))
    assert.deepEqual(readFileSync(join(bin, name)), readFileSync(join(CNI_BIN, name)), name);
  assert.deepEqual(namesIn(conf), ['05-leasehold.conflist']);
}
