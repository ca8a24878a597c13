import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isJsonObject } from '../../src/base/json.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { makePki } from '../support/kube-api.ts';
import { runAs } from '../support/program-as.ts';
import { startApi } from '../support/scripted-api.ts';
import { emptySite, endBy, get, logText, startAt, type Site } from './support/site.ts';

const NOBODY = '127.0.0.1:6444';
const API = '127.0.0.1:6443';

/** Executes a program with a service account, as kubelet mounts it for a container. */
function asPod(account: string): readonly string[] {
  const target = '/run/secrets/kubernetes.io/serviceaccount';
  const script = `mount -t tmpfs tmpfs /run && mkdir -p ${target} && mount --bind ${account} ${target} && exec "$@"`;
  return ['unshare', '--mount', 'sh', '-ec', script, 'sh'];
}

async function kubernetesAt(site: Site): Promise<unknown> {
  const { json } = await get(site.socket, '/v1/host');
  return isJsonObject(json) ? json['kubernetes'] : undefined;
}

async function servicesAt(site: Site): Promise<unknown> {
  const { json } = await get(site.socket, '/v1/host');
  return isJsonObject(json) ? json['services'] : undefined;
}

test(
  "in a pod: the service account, at the kubelet's API server first, and at the service where that one is away; a role that is missing is said",
  { skip: NEEDS_ROOT },
  async (t) => {
    const site = await emptySite(t);
    await using pki = await makePki();
    const account = join(site.folder, 'account');
    const kubeconfig = join(site.folder, 'kubelet.conf');
    await mkdir(account);
    await writeFile(join(account, 'token'), 'abc');
    await writeFile(join(account, 'ca.crt'), await pki.text('ca.crt'));
    await runAs(site, 'kubelet', `--kubeconfig=${kubeconfig}`);
    const state = { cidrs: { kubernetes: ['10.96.0.0/16'] }, token: 'abc' };
    const api = await startApi(site, pki, state);
    const start = async (kubelets: string, service: string) => {
      await writeFile(kubeconfig, `clusters:\n- cluster:\n    server: https://${kubelets}\n`);
      const [host = '', port = ''] = service.split(':');
      const env = { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port };
      return await startAt(site, { env, wrap: asPod(account) });
    };

    const first = await start(API, NOBODY);
    assert.deepEqual(await servicesAt(site), ['10.96.0.0/16'], 'before it is ready');
    assert.deepEqual(await kubernetesAt(site), { server: api.url, problem: null });
    await endBy(first, 'SIGTERM');

    await api.become({ ...state, cidrs: { kubernetes: ['10.97.0.0/16'] } });
    const second = await start(NOBODY, API);
    await waitFor(
      'the network of now, in place of the remembered one',
      async () => JSON.stringify(await servicesAt(site)) === '["10.97.0.0/16"]',
    );
    await endBy(second, 'SIGTERM');

    const role = /does not let us list ServiceCIDR objects/;
    await api.become({ token: 'abc', service: '10.97.0.1' });
    const taken = await start(API, NOBODY);
    await waitFor('the missing role to be said', async () =>
      role.test(JSON.stringify(await kubernetesAt(site))),
    );
    assert.deepEqual(await servicesAt(site), ['10.97.0.0/16'], 'what was named has that address');
    await endBy(taken, 'SIGTERM');

    await api.become({ token: 'abc', service: '10.43.0.1' });
    const third = await start(API, NOBODY);
    await waitFor('the guess', async () => JSON.stringify(await servicesAt(site)) === '["10.43.0.0/16"]');
    assert.match(JSON.stringify(await kubernetesAt(site)), role);
    assert.match(logText(site), /"level":"warn".*is a guess: state it with --service-cidr/);
    await endBy(third, 'SIGTERM');
  },
);
