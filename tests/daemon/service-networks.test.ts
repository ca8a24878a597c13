import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isJsonObject } from '../../src/base/json.ts';
import { stopProcess } from '../../src/lab/long-process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { makePki } from '../support/kube-api.ts';
import { runAs } from '../support/program-as.ts';
import { startApi } from '../support/scripted-api.ts';
import { emptySite, endBy, get, logText, startAt, type Site } from './support/site.ts';

const API_URL = 'https://127.0.0.1:6443';

async function servicesAt(site: Site): Promise<unknown> {
  const { json } = await get(site.socket, '/v1/host');
  return isJsonObject(json) ? json['services'] : undefined;
}

test(
  'a worker: the daemon finds its service network by the API and the certificate of the node, says where it has none, keeps what it found, and takes what is stated',
  { skip: NEEDS_ROOT },
  async (t) => {
    const site = await emptySite(t);
    await using pki = await makePki();
    const kubeconfig = join(site.folder, 'kubelet.conf');
    const conf = [
      'clusters:\n- cluster:',
      `    certificate-authority: ${pki.folder}/ca.crt`,
      `    server: ${API_URL}`,
      `users:\n- user:\n    client-certificate: ${pki.folder}/client.crt\n    client-key: ${pki.folder}/client.key\n`,
    ].join('\n');
    await writeFile(kubeconfig, conf);
    await runAs(site, 'kubelet', `--kubeconfig=${kubeconfig}`);

    const first = await startAt(site);
    assert.deepEqual(await servicesAt(site), []);
    const unknown =
      /"level":"error".*"kubelet":"kubelet \(process \d+\)".*its service network is not known.*--service-cidr/;
    assert.match(logText(site), unknown);
    await endBy(first, 'SIGTERM');

    // As kube-apiserver answers a kubelet: services, but not the networks themselves.
    const api = await startApi(site, pki, { service: '10.96.0.1' });
    const config = join(site.folder, 'daemon.json');
    await writeFile(config, '{}');
    const second = await startAt(site, { args: ['--config', config] });
    assert.deepEqual(await servicesAt(site), ['10.96.0.0/12'], 'before it is ready');
    assert.match(logText(site), /the service network was found on this node/);

    await endBy(second, 'SIGKILL');
    await stopProcess(api.process);
    const third = await startAt(site, { args: ['--config', config] });
    assert.deepEqual(await servicesAt(site), ['10.96.0.0/12'], 'while the API is away');
    await writeFile(config, '{"services":["10.44.0.0/16"]}');
    process.kill(third.pid, 'SIGHUP');
    await waitFor(
      'what is stated to count alone',
      async () => JSON.stringify(await servicesAt(site)) === '["10.44.0.0/16"]',
    );
  },
);
