import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { cidr } from '../../../src/base/cidr.ts';
import { ipv4, type Ipv4 } from '../../../src/base/ipv4.ts';
import type { Attachment, NetworkList } from '../../../src/lab/cni-conf.ts';
import { CniRuntime } from '../../../src/lab/cni-runtime.ts';
import { startDaemon } from '../../../src/lab/daemon.ts';
import { HomeLan } from '../../../src/lab/home-lan.ts';
import type { AddressSource, Host } from '../../../src/lab/host.ts';
import { stopProcess, type LongProcess } from '../../../src/lab/long-process.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';
import { createPod } from '../../../src/lab/pods.ts';
import type { DnsmasqOptions } from '../../../src/lab/server-dnsmasq.ts';
import { addressIn } from '../../plugins/support/site.ts';
import { CNI_BIN, DEBIAN_CNI_BIN, ROOT } from '../../support/leasehold.ts';
import { goBinDir } from './go-bin.ts';
import { API_SERVER_PORT, OWN_API, SERVICE_NETWORK } from './names.ts';
import { OtherCluster } from './other-cluster.ts';
import { serve } from './talk.ts';

export const NODE_ADDRESS = '192.168.2.125';
export const SECOND_NODE_ADDRESS = '192.168.2.126';
export const LAPTOP_ADDRESS = '192.168.2.127';
const POOL = { first: ipv4('192.168.2.130'), last: ipv4('192.168.2.250') };

export type StageOptions = {
  /** Where the first node has its address from; by hand unless told otherwise. */
  readonly node?: AddressSource;
  readonly server?: DnsmasqOptions;
  readonly secondNode?: boolean;
};

/** A pod that is attached. */
export type StagePod = {
  readonly name: string;
  readonly namespace: Namespace;
  readonly address: Ipv4;
  readonly attachment: Attachment;
  readonly network: NetworkList;
};

export type AddOptions = {
  readonly args?: Readonly<Record<string, string>>;
  /** A server that runs in the pod before it is attached. */
  readonly serving?: { readonly name: string; readonly port: number };
  /** By default one for which every plugin is ours. */
  readonly runtime?: CniRuntime;
};

/** One machine of the cluster: its namespace, Leasehold's daemon, and a CNI runtime. */
export class StageNode {
  readonly host: Host;
  readonly socket: string;
  readonly stateDir: string;
  readonly runtime: CniRuntime;
  readonly #lan: HomeLan;
  readonly #folder: string;
  #daemon: LongProcess | undefined;
  static #pods = 0;

  private constructor(lan: HomeLan, host: Host, folder: string) {
    this.#lan = lan;
    this.host = host;
    this.#folder = folder;
    this.socket = join(folder, 'leasehold.sock');
    this.stateDir = join(folder, 'state');
    this.runtime = this.#runtime([CNI_BIN, DEBIAN_CNI_BIN]);
  }

  /** `run`: another daemon on the same host, after the first, has folders of its own. */
  static async create(lan: HomeLan, host: Host, run = 'first'): Promise<StageNode> {
    const folder = join(lan.folder, `leasehold-${host.name}-${run}`);
    await mkdir(folder, { mode: 0o700 });
    const node = new StageNode(lan, host, folder);
    await node.startDaemon();
    return node;
  }

  /** Starts it, also again after `stopDaemon`. */
  async startDaemon(): Promise<void> {
    const paths = ['--socket', this.socket, '--state-dir', this.stateDir];
    this.#daemon = await startDaemon(this.namespace, {
      command: [join(ROOT, 'bin', 'leasehold'), 'daemon', ...paths, '--service-cidr', SERVICE_NETWORK],
      socket: this.socket,
      logFile: join(this.#folder, 'daemon.log'),
      name: `leasehold daemon of ${this.host.name}`,
      resources: this.#lan.resources,
    });
  }

  async stopDaemon(): Promise<void> {
    if (this.#daemon !== undefined) await stopProcess(this.#daemon);
  }

  #runtime(binDirs: readonly string[]): CniRuntime {
    return new CniRuntime({ place: this.namespace, binDirs, env: { LEASEHOLD_SOCKET: this.socket } });
  }

  /** A runtime for which the main plugins are Debian's Go ones, and dhcp and what is ours alone our own. */
  async goRuntime(): Promise<CniRuntime> {
    return this.#runtime([await goBinDir(this.#lan, this.host.name)]);
  }

  get namespace(): Namespace {
    return this.host.namespace;
  }

  /** ADD of a new pod, as a container runtime would. */
  async add(network: NetworkList, options: AddOptions = {}): Promise<StagePod> {
    StageNode.#pods += 1;
    const { args, serving, runtime = this.runtime } = options;
    const { prefix, resources } = this.#lan;
    const made = await createPod(`${this.host.name}-pod${StageNode.#pods}`, {
      prefix,
      resources,
      ...(args === undefined ? {} : { args }),
    });
    const { name, namespace, attachment } = made;
    if (serving !== undefined) await serve(namespace, serving.name, serving.port, this.#lan);
    const { result } = await runtime.add(network, attachment, { delOnFailure: false });
    return { name, namespace, address: addressIn(result), attachment, network };
  }

  async del({ network, attachment }: StagePod, runtime: CniRuntime = this.runtime): Promise<void> {
    await runtime.del(network, attachment);
  }
}

function byHand(address: string): AddressSource {
  return { address: cidr(`${address}/24`) };
}

/** A home with a router, one or two nodes of a cluster, a laptop, and another cluster behind the router. */
export class Stage implements AsyncDisposable {
  readonly lan: HomeLan;
  readonly node: StageNode;
  readonly other: OtherCluster;
  readonly #second: StageNode | undefined;

  private constructor(
    lan: HomeLan,
    parts: { readonly node: StageNode; readonly second: StageNode | undefined; readonly other: OtherCluster },
  ) {
    this.lan = lan;
    this.node = parts.node;
    this.#second = parts.second;
    this.other = parts.other;
  }

  static async open(options: StageOptions = {}): Promise<Stage> {
    const lan = await HomeLan.create({
      pool: POOL,
      server: options.server ?? { kind: 'dnsmasq' },
      hosts: {
        node: options.node ?? byHand(NODE_ADDRESS),
        laptop: byHand(LAPTOP_ADDRESS),
        ...(options.secondNode === true ? { node2: byHand(SECOND_NODE_ADDRESS) } : {}),
      },
    });
    try {
      const [other, node, second] = await Promise.all([
        OtherCluster.create(lan),
        StageNode.create(lan, lan.node),
        options.secondNode === true ? StageNode.create(lan, lan.host('node2')) : undefined,
        serve(lan.node.namespace, OWN_API, API_SERVER_PORT, lan),
      ]);
      return new Stage(lan, { node, second, other });
    } catch (error) {
      await lan[Symbol.asyncDispose]();
      throw error;
    }
  }

  get second(): StageNode {
    if (this.#second === undefined) throw new Error('this stage has one node');
    return this.#second;
  }

  get laptop(): Namespace {
    return this.lan.laptop.namespace;
  }

  /** A server in a pod or a node that says its name; see `ask`. */
  async serve(place: Namespace, name: string, port: number): Promise<LongProcess> {
    return await serve(place, name, port, this.lan);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lan[Symbol.asyncDispose]();
  }
}

/** One stage for all tests of a `describe`; call the result inside them. */
export function useStage(options: StageOptions = {}): () => Stage {
  let stage: Stage | undefined;
  before(async () => {
    stage = await Stage.open(options);
  });
  after(async () => await stage?.[Symbol.asyncDispose]());
  return () => {
    if (stage === undefined) throw new Error('the stage is there while tests run');
    return stage;
  };
}
