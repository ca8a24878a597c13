import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { cidr } from '../../../src/base/cidr.ts';
import { isJsonObject, parseJson, type Json, type JsonObject } from '../../../src/base/json.ts';
import { parseNetworkList, type NetworkList } from '../../../src/lab/cni-conf.ts';
import { CniRuntime } from '../../../src/lab/cni-runtime.ts';
import { viewResult } from '../../../src/lab/cni-result.ts';
import { HomeLan } from '../../../src/lab/home-lan.ts';
import { createPod, type Pod } from '../../../src/lab/pods.ts';
import { systemEnv } from '../../../src/lab/process.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { CNI_BIN } from '../../support/leasehold.ts';
import { pathsIn, storedLeases, get, type Site } from './site.ts';

/** A site that is the node of a home LAN, whose only leases are those of pods. */
export type LanSite = Site & { readonly lan: HomeLan; readonly runtime: CniRuntime };

export const NETWORK: NetworkList = parseNetworkList(
  JSON.stringify({
    cniVersion: '1.1.0',
    name: 'lan',
    plugins: [{ type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } }],
  }),
);

/** The home of a test file or a test; it goes with `t`. The daemon is started by the test. */
export async function lanSite(t: Pick<TestContext, 'after'>): Promise<LanSite> {
  const lan = await HomeLan.create({ hosts: { node: { address: cidr('192.168.2.10/24') } } });
  t.after(async () => await lan[Symbol.asyncDispose]());
  const paths = pathsIn(join(lan.folder, 'leasehold'));
  await mkdir(paths.folder, { mode: 0o700 });
  const { namespace } = lan.node;
  const runtime = new CniRuntime({
    place: namespace,
    binDirs: [CNI_BIN],
    env: { LEASEHOLD_SOCKET: paths.socket },
  });
  return { namespace, ...paths, resources: lan.resources, lan, runtime };
}

export async function newPod({ lan }: LanSite, name: string): Promise<Pod> {
  return await createPod(name, { prefix: lan.prefix, resources: lan.resources });
}

/** Attaches a new pod and gives it with its address. */
export async function addPod(site: LanSite, name: string): Promise<{ pod: Pod; address: string }> {
  const pod = await newPod(site, name);
  const { result } = await site.runtime.add(NETWORK, pod.attachment, { delOnFailure: false });
  const address = viewResult(result).address?.address;
  assert.ok(address !== undefined, JSON.stringify(result));
  return { pod, address };
}

export type Answer = { readonly status: number; readonly stdout: string; readonly json: JsonObject };

/** The variables of an ADD for a pod. */
export function addVariables(pod: Pod): Record<string, string> {
  const { containerId, netns, ifName } = pod.attachment;
  return {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: ifName,
    CNI_PATH: CNI_BIN,
  };
}

/** Runs the relay in the node with exactly these CNI variables; `plugin` is its name, or a path to it under another. */
export async function callRelay(
  site: LanSite,
  variables: Readonly<Record<string, string>>,
  stdin: string,
  plugin = 'macvlan',
): Promise<Answer> {
  const env = { ...systemEnv({ LEASEHOLD_SOCKET: site.socket }), ...variables };
  const { status, stdout } = await site.namespace.runToEnd([resolve(CNI_BIN, plugin)], { input: stdin, env });
  const json = parseJson(stdout === '' ? '{}' : stdout);
  assert.ok(json.ok && isJsonObject(json.value), stdout);
  return { status, stdout, json: json.value };
}

/** The names of a namespace's interfaces. */
export async function linksOf(pod: Pod): Promise<readonly string[]> {
  const json = parseJson(await pod.namespace.ip('-j', 'link', 'show'));
  assert.ok(json.ok && Array.isArray(json.value));
  return json.value.map((link: Json) => {
    const name = isJsonObject(link) ? link['ifname'] : undefined;
    return typeof name === 'string' ? name : '';
  });
}

export async function hasAddress(pod: Pod, address: string): Promise<boolean> {
  return (await pod.namespace.ip('addr', 'show', 'dev', 'eth0')).includes(`inet ${address}/`);
}

export async function serverHas(site: LanSite, address: string): Promise<boolean> {
  return (await site.lan.server.leases()).some(({ ip }) => ip === address);
}

/** The server writes its lease file when it is done with the RELEASE, which nobody waits for. */
export async function waitUntilReleased(site: LanSite, address?: string): Promise<void> {
  await waitFor(`the server to have ${address ?? 'everything'} back`, async () =>
    address === undefined ? (await site.lan.server.leases()).length === 0 : !(await serverHas(site, address)),
  );
}

/** No interface in the pod, no lease here, on disk or at the server. */
export async function assertNothingLeft(
  site: LanSite,
  pod: Pod,
  links: readonly string[] = ['lo'],
): Promise<void> {
  assert.deepEqual(await linksOf(pod), links);
  assert.deepEqual((await get(site.socket, '/v1/leases')).json, []);
  assert.deepEqual(await storedLeases(site.stateDir), []);
  await waitUntilReleased(site);
}
