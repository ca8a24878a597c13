import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { getOverSocket } from '../../src/lab/daemon.ts';
import { stopProcess } from '../../src/lab/long-process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addressIn, type Attached, networkOf, useSite } from '../plugins/support/site.ts';
import type { ApiState } from '../support/api-server.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { makePki, type Pki } from '../support/kube-api.ts';
import { type ScriptedApi, startApi } from '../support/scripted-api.ts';

// The service networks by a Kubernetes API, in a daemon with a pod that runs all the time.

const options = { skip: NEEDS_ROOT };
const LEASEHOLD = networkOf([{ type: 'leasehold' }]);
const [FIRST, SECOND] = ['10.96.0.0/16', '172.20.0.0/20'] as const;

type View = {
  readonly services: readonly string[];
  readonly serviceSources: readonly { readonly network: string; readonly source: string }[];
  readonly kubernetes: { readonly server: string | null; readonly problem: string | null } | null;
};

describe('service networks by the Kubernetes API', () => {
  // Before the site, whose daemon is told of the file when it is made.
  const folder = mkdtempSync(join(tmpdir(), `lh${process.pid}-cluster-`));
  const kubeconfig = join(folder, 'kubeconfig');
  const site = useSite({ config: { kubeconfig } });
  let pki: Pki;
  let api: ScriptedApi;
  let pod: Attached;
  let state: ApiState = { cidrs: { kubernetes: [FIRST, 'fd00::/112'] }, token: 'first-token' };

  before(async () => {
    if (NEEDS_ROOT !== false) return;
    pki = await makePki();
  });
  after(async () => {
    if (NEEDS_ROOT === false) await pki[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function view(): Promise<View> {
    const answer = await getOverSocket(site().daemon.socket, '/v1/host');
    return JSON.parse(answer?.body ?? '{}') as View;
  }

  async function log(): Promise<string> {
    return await readFile(site().daemon.logFile, 'utf8');
  }

  async function become(more: Partial<ApiState>): Promise<void> {
    state = { ...state, ...more };
    await api.become(state);
  }

  /** The node and the pod have exactly these. */
  async function waitForNetworks(...networks: readonly string[]): Promise<void> {
    await waitFor(`the services to be ${networks.join(', ')}`, async () => {
      const routes = await pod.pod.namespace.ip('-4', 'route', 'show', 'via', '169.254.1.1');
      const inPod = routes.split('\n').flatMap((line) => line.split(' ', 1)[0] || []);
      return [(await view()).services, inPod.toSorted()].every(
        (all) => JSON.stringify(all) === JSON.stringify(networks),
      );
    });
  }

  test('a file that is not there is said, and keeps nobody from his address', options, async () => {
    const { services, kubernetes } = await view();
    assert.deepEqual(services, []);
    assert.match(kubernetes?.problem ?? '', /kubeconfig cannot be read/);
    pod = await site().add(LEASEHOLD);
    assert.match(addressIn(pod.result), /^192\.168\.2\./);
  });

  test('a daemon that starts knows them before it is ready, and says by whom', options, async () => {
    await writeFile(join(folder, 'token'), 'first-token\n');
    await writeFile(join(folder, 'ca.crt'), await pki.text('ca.crt'));
    await writeFile(
      kubeconfig,
      'clusters:\n- cluster:\n    certificate-authority: ca.crt\n    server: https://127.0.0.1:6443\nusers:\n- user:\n    tokenFile: token\n',
    );
    await chmod(kubeconfig, 0o666);
    await site().daemon.restart();
    assert.match((await view()).kubernetes?.problem ?? '', /can be written by others \(mode 0666\)/);
    await chmod(kubeconfig, 0o600);
    api = await startApi({ namespace: site().node, folder, resources: site().lan.resources }, pki, state);
    await site().daemon.restart();
    const source = `ServiceCIDR kubernetes, by the Kubernetes API at ${api.url}`;
    const { services, serviceSources, kubernetes } = await view();
    assert.deepEqual(services, [FIRST]);
    assert.deepEqual(serviceSources, [{ network: FIRST, source, guessed: false, remembered: false }]);
    assert.deepEqual(kubernetes, { server: api.url, problem: null });
    await waitForNetworks(FIRST);
  });

  test('networks come and go in a pod that runs', options, async () => {
    await become({ cidrs: { ...state.cidrs, more: [SECOND] } });
    await waitForNetworks(FIRST, SECOND);
    const guard = await site().node.run(['nft', 'list', 'table', 'inet', 'leasehold']);
    assert.match(guard, /172\.20\.0\.0\/20/);
    await become({ cidrs: { more: [SECOND] } });
    await waitForNetworks(SECOND);
    await become({ cidrs: {} });
    await waitFor('that to be said', async () => typeof (await view()).kubernetes?.problem === 'string');
    await waitForNetworks(SECOND);
    await become({ cidrs: { kubernetes: [FIRST], more: [SECOND] } });
    await waitForNetworks(FIRST, SECOND);
  });

  test('token and authority are exchanged while the daemon runs', options, async () => {
    await writeFile(join(folder, 'token'), 'second-token\n');
    await writeFile(join(folder, 'ca.crt'), await pki.text('stranger.crt'));
    await become({ token: 'second-token', certificate: 'next-server', cidrs: { kubernetes: [FIRST] } });
    await waitForNetworks(FIRST);
    assert.match((await api.asked()).at(-1) ?? '', /^\/apis\/.* Bearer second-token$/);
  });

  test('an API that turns hostile changes nothing, and the daemon stays well', options, async () => {
    const { length } = await api.asked();
    await become({ isHostile: true });
    await waitFor('it to be asked', async () => (await api.asked()).length > length);
    await waitFor('that to be said', async () => typeof (await view()).kubernetes?.problem === 'string');
    assert.deepEqual((await view()).services, [FIRST]);
    assert.equal((await getOverSocket(site().daemon.socket, '/readyz'))?.status, 200);
  });

  test('a node that starts without its API serves its pods with what is remembered', options, async () => {
    await stopProcess(api.process);
    await site().daemon.restart();
    const { services, kubernetes } = await view();
    assert.deepEqual(services, [FIRST]);
    assert.match(kubernetes?.problem ?? 'not yet asked', /ECONNREFUSED|not yet asked/);
    const later = await site().add(LEASEHOLD);
    assert.match(await later.pod.namespace.ip('-4', 'route'), /10\.96\.0\.0\/16 via 169\.254\.1\.1/);
    await site().del(later);
    await waitForNetworks(FIRST);
  });

  test('what the file states counts alone, and the other way round', options, async () => {
    const config = join(site().lan.folder, 'daemon.json');
    await writeFile(config, JSON.stringify({ kubeconfig, services: ['10.43.0.0/16'] }));
    process.kill(site().daemon.process().pid, 'SIGHUP');
    await waitForNetworks('10.43.0.0/16');
    assert.deepEqual((await view()).serviceSources, [
      { network: '10.43.0.0/16', source: 'the file of --config', guessed: false, remembered: false },
    ]);
    await writeFile(config, JSON.stringify({ kubeconfig }));
    process.kill(site().daemon.process().pid, 'SIGHUP');
    await waitForNetworks(FIRST);
    assert.doesNotMatch(await log(), /second-token|first-token/, 'no token is in the log');
    await site().del(pod);
  });
});
