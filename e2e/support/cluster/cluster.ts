import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invariant } from '../../../src/base/invariant.ts';
import { parseIpv4 } from '../../../src/base/ipv4.ts';
import type { HomeLan, ServerOptions } from '../../../src/lab/home-lan.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { Kubectl } from './kubectl.ts';
import {
  API_SERVICE,
  apiUrl,
  changeProxyMode,
  type ProxyMode,
  startApiServer,
  startControllers,
  startKubelet,
  startProxy,
  writeNodeFiles,
} from './kube-programs.ts';
import { createLan } from './lan.ts';
import { installLeasehold } from './leasehold.ts';
import { leftovers } from '../leftovers.ts';
import { startContainerd } from './containerd.ts';
import { Node } from './node.ts';
import { type Identity, Pki } from './pki.ts';

const READY_DEADLINE_MS = 120_000;
const LEFTOVERS_DEADLINE_MS = 20_000;
/** Nodes have their addresses by hand, below the pool; they are also in the API server's certificate. */
const NODES = { n1: '192.168.2.11', n2: '192.168.2.12' } as const;
const PREFIX = 24;

export type ClusterOptions = {
  /** The router's DHCP server; by default dnsmasq. */
  readonly server?: ServerOptions;
  readonly proxyMode?: ProxyMode;
  /**
   * Installs the network on a cluster whose API answers and whose nodes are there, not Ready; by default deploy/install.yaml.
   * `later`: the test does it, and nodes are not waited for.
   */
  readonly install?: ((cluster: Cluster) => Promise<void>) | 'later';
};

/**
 * A Kubernetes of two nodes on a LAN with a router and a laptop: n1 has the control plane and takes pods, n2 is a worker. Laid out
 * as kubeadm does it; programs are processes of the nodes. One for all tests of a file; disposing removes it, and fails
 * where something of it is left on this machine.
 */
export class Cluster implements AsyncDisposable {
  readonly lan: HomeLan;
  readonly nodes: readonly Node[];
  readonly kubectl: Kubectl;
  readonly #pki: Pki;
  #proxyMode: ProxyMode;

  private constructor(lan: HomeLan, proxyMode: ProxyMode) {
    this.lan = lan;
    this.#pki = new Pki(join(lan.folder, 'pki'));
    this.#proxyMode = proxyMode;
    const hosts = ['127.0.0.1 localhost', ...Object.entries(NODES).map(([name, ip]) => `${ip} ${name}`), ''];
    this.nodes = Object.entries(NODES).map(([name, ip], at) => {
      const address = parseIpv4(ip);
      invariant(address !== undefined, `an address of a node: ${ip}`);
      const mac = `02:00:00:00:01:${String(at + 1).padStart(2, '0')}`;
      return new Node(lan, { name, address: { address, prefix: PREFIX }, mac, hosts: hosts.join('\n') });
    });
    this.kubectl = new Kubectl(this.laptop, this.#pki.path('admin.conf'), join(lan.folder, 'kubectl'));
  }

  /** Up when both nodes are Ready and all Leasehold pods too; removed when it throws. */
  static async create(options: ClusterOptions = {}): Promise<Cluster> {
    const lan = await createLan(options.server);
    const cluster = new Cluster(lan, options.proxyMode ?? 'iptables');
    try {
      await cluster.#start(options.install ?? installLeasehold);
      return cluster;
    } catch (error) {
      try {
        await cluster[Symbol.asyncDispose]();
      } catch (left) {
        throw new AggregateError([error, left], `${String(error)}; and then: ${String(left)}`, {
          cause: left,
        });
      }
      throw error;
    }
  }

  get laptop(): Namespace {
    return this.lan.laptop.namespace;
  }

  get controlPlane(): Node {
    return this.node('n1');
  }

  node(name: string): Node {
    const node = this.nodes.find((one) => one.name === name);
    invariant(node !== undefined, `no node ${name}`);
    return node;
  }

  /** The other one than `node`. */
  other(node: Node): Node {
    return this.node(node.name === 'n1' ? 'n2' : 'n1');
  }

  /** Switches a node on and starts what systemd starts on one: runtime, kubelet, kube-proxy, and the control plane's programs. */
  async boot(node: Node): Promise<void> {
    await node.powerOn();
    await writeNodeFiles(node, this.#pki, apiUrl(this.controlPlane), this.#proxyMode);
    const isControlPlane = node === this.controlPlane;
    if (isControlPlane) await startApiServer(node);
    await startContainerd(node);
    if (isControlPlane) {
      await this.untilApiReady();
      await startControllers(node);
    }
    await startKubelet(node);
    await startProxy(node);
  }

  async untilApiReady(): Promise<void> {
    await waitFor(
      'the API server to be ready',
      async () => (await this.kubectl.runToEnd(['get', '--raw', '/readyz'])).status === 0,
      { deadlineMs: READY_DEADLINE_MS },
    );
  }

  /** Waits until all nodes are Ready, or those named. */
  async untilNodesReady(names: readonly string[] = this.nodes.map(({ name }) => name)): Promise<void> {
    await this.kubectl.until(`${names.join(' and ')} to be Ready`, async () => {
      const ready = await this.kubectl.nodesReady();
      return names.every((name) => ready[name] === true);
    });
  }

  /** kube-proxy in another mode on all nodes, now and after each boot. */
  async setProxyMode(mode: ProxyMode): Promise<void> {
    this.#proxyMode = mode;
    for (const node of this.nodes) await changeProxyMode(node, mode);
  }

  async #start(install: NonNullable<ClusterOptions['install']>): Promise<void> {
    await this.#pki.issue(identities());
    await writeFile(
      this.#pki.path('admin.conf'),
      await this.#pki.kubeconfig('admin', apiUrl(this.controlPlane)),
      { mode: 0o600 },
    );
    await Promise.all(this.nodes.map(async (node) => await this.boot(node)));
    await this.untilApiReady();
    if (install === 'later') return;
    await install(this);
    await this.untilNodesReady();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const node of this.nodes) {
      try {
        await node.powerCut();
      } catch (error) {
        failures.push(error);
      }
    }
    try {
      await this.lan.resources[Symbol.asyncDispose]();
    } catch (error) {
      failures.push(error);
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.join('; '));
    const { prefix, folder } = this.lan;
    await waitFor('nothing to be left of the cluster', () => leftovers(prefix, folder).length === 0, {
      deadlineMs: LEFTOVERS_DEADLINE_MS,
      describe: () => leftovers(prefix, folder).join('\n'),
    });
  }
}

function identities(): readonly Identity[] {
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'n1'];
  const addresses = [API_SERVICE, NODES.n1, '127.0.0.1'];
  return [
    {
      name: 'apiserver',
      subject: '/CN=kube-apiserver',
      subjectAltName: [...names.map((name) => `DNS:${name}`), ...addresses.map((ip) => `IP:${ip}`)].join(','),
    },
    { name: 'kubelet-client', subject: '/O=system:masters/CN=kube-apiserver-kubelet-client' },
    { name: 'admin', subject: '/O=system:masters/CN=admin' },
    { name: 'kcm', subject: '/CN=system:kube-controller-manager' },
    { name: 'scheduler', subject: '/CN=system:kube-scheduler' },
    { name: 'kube-proxy', subject: '/CN=system:kube-proxy' },
    ...Object.keys(NODES).map((name) => ({ name, subject: `/O=system:nodes/CN=system:node:${name}` })),
  ];
}
