import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import * as v from 'valibot';
import { invariant } from '../../../src/base/invariant.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../../src/base/json.ts';

/** Longer than any call takes; a kubelet gives RunPodSandbox four minutes. */
const DEADLINE_MS = 120_000;
/** How long a connection that broke waits before it is tried again: a runtime that restarts is back in a moment. */
const RECONNECT_MS = 200;

const metadataSchema = v.object({
  name: v.string(),
  uid: v.string(),
  namespace: v.string(),
  attempt: v.number(),
});
const stateSchema = v.picklist(['SANDBOX_READY', 'SANDBOX_NOTREADY']);
const versionSchema = v.object({ runtimeName: v.string(), runtimeVersion: v.string() });
const conditionSchema = v.object({
  type: v.string(),
  status: v.boolean(),
  reason: v.string(),
  message: v.string(),
});
const runtimeStatusSchema = v.object({
  status: v.object({ conditions: v.array(conditionSchema) }),
  info: v.record(v.string(), v.string()),
});
const sandboxSchema = v.object({ id: v.string(), metadata: metadataSchema, state: stateSchema });
const networkSchema = v.object({ ip: v.string(), additionalIps: v.array(v.object({ ip: v.string() })) });
const sandboxStatusSchema = v.object({
  status: v.object({ ...sandboxSchema.entries, network: v.nullable(networkSchema) }),
  info: v.record(v.string(), v.string()),
});
const executedSchema = v.object({
  stdout: v.instance(Buffer),
  stderr: v.instance(Buffer),
  exitCode: v.number(),
});

export type SandboxMetadata = v.InferOutput<typeof metadataSchema>;
export type RuntimeCondition = v.InferOutput<typeof conditionSchema>;
export type Sandbox = v.InferOutput<typeof sandboxSchema>;
/** `ip`: empty while the sandbox has none. `netns`: the path that the runtime gave the plugins, as the runtime sees it. */
export type SandboxStatus = Sandbox & {
  readonly ip: string;
  readonly additionalIps: readonly string[];
  readonly netns: string | undefined;
};

export type PortMapping = {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
};

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE';
/** Whose namespaces a pod's containers have; POD where nothing is said. A kubelet says CONTAINER for `pid`. */
export type NamespaceOptions = {
  readonly network?: NamespaceMode;
  readonly pid?: NamespaceMode;
  readonly ipc?: NamespaceMode;
};

/** What a kubelet says of a pod (PodSandboxConfig). */
export type SandboxConfig = {
  readonly metadata: SandboxMetadata;
  readonly hostname?: string;
  readonly logDirectory: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly portMappings?: readonly PortMapping[];
  readonly linux: {
    readonly cgroupParent: string;
    readonly securityContext?: { readonly namespaceOptions: NamespaceOptions };
  };
};

/** What it says of a container in it (ContainerConfig). `logPath` is in the sandbox's folder of logs. */
export type ContainerConfig = {
  readonly metadata: { readonly name: string; readonly attempt: number };
  /** CRI-O also wants the name as the pod has it; a kubelet says both. */
  readonly image: { readonly image: string; readonly userSpecifiedImage?: string };
  readonly command: readonly string[];
  readonly args?: readonly string[];
  readonly logPath?: string;
  readonly linux?: { readonly securityContext: { readonly namespaceOptions: NamespaceOptions } };
};

export type Executed = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/** A call that the runtime refused, or that nobody answered. `code` is gRPC's (14: nobody is there). */
export class CriError extends Error {
  override readonly name = 'CriError';
  readonly method: string;
  readonly code: number;

  constructor(method: string, error: ServiceError) {
    super(`${method}: ${error.details || error.message}`);
    this.method = method;
    this.code = error.code;
  }
}

/** Methods of the service, from the .proto: names as TypeScript has them, enumerations as their names. */
function loadService(): ServiceDefinition {
  const loaded = loadSync(join(import.meta.dirname, 'cri.proto'), {
    defaults: true,
    enums: String,
    longs: Number,
  });
  const service = loaded['runtime.v1.RuntimeService'];
  invariant(service !== undefined && !('format' in service), 'cri.proto has the RuntimeService');
  return service;
}

const SERVICE = loadService();

/** The network namespace in a runtime specification of the OCI. */
const specSchema = v.object({
  runtimeSpec: v.object({
    linux: v.object({
      namespaces: v.array(v.object({ type: v.string(), path: v.optional(v.string()) })),
    }),
  }),
});

/** containerd and CRI-O answer a verbose PodSandboxStatus with the sandbox's runtime specification under "info". */
function netnsOf(info: Readonly<Record<string, string>>): string | undefined {
  const said = v.safeParse(specSchema, jsonOf(info['info']));
  if (!said.success) return undefined;
  return said.output.runtimeSpec.linux.namespaces.find(({ type }) => type === 'network')?.path;
}

function jsonOf(text: string | undefined): JsonObject {
  const parsed = parseJson(text ?? '{}');
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : {};
}

/**
 * A client of a container runtime (CRI v1) over its UNIX socket: what a kubelet asks of it. A call rejects with CriError;
 * the connection is made again by itself when the runtime has restarted.
 */
export class Cri implements Disposable {
  readonly #client: Client;

  constructor(socket: string) {
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      'grpc.initial_reconnect_backoff_ms': RECONNECT_MS,
      'grpc.min_reconnect_backoff_ms': RECONNECT_MS,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MS,
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** Name and version as the runtime says them: "containerd", "v2.4.2". */
  async version(): Promise<v.InferOutput<typeof versionSchema>> {
    return v.parse(versionSchema, await this.#call('Version', {}));
  }

  async conditions(): Promise<readonly RuntimeCondition[]> {
    return v.parse(runtimeStatusSchema, await this.#call('Status', {})).status.conditions;
  }

  /** What a verbose Status says: JSON by name, of each runtime's own form. */
  async statusInfo(): Promise<Readonly<Record<string, JsonObject>>> {
    const { info } = v.parse(runtimeStatusSchema, await this.#call('Status', { verbose: true }));
    return Object.fromEntries(Object.entries(info).map(([name, text]) => [name, jsonOf(text)]));
  }

  /** NetworkReady, which makes a Kubernetes node Ready or NotReady. */
  async networkReady(): Promise<RuntimeCondition> {
    const condition = (await this.conditions()).find(({ type }) => type === 'NetworkReady');
    invariant(condition !== undefined, 'every runtime has the condition NetworkReady');
    return condition;
  }

  /** Resolves with the sandbox's id when its network is there. `runtimeHandler`: by default the runtime's own. */
  async runPodSandbox(config: SandboxConfig, runtimeHandler = ''): Promise<string> {
    const made = await this.#call('RunPodSandbox', { config, runtimeHandler });
    return v.parse(v.object({ podSandboxId: v.string() }), made).podSandboxId;
  }

  async stopPodSandbox(podSandboxId: string): Promise<void> {
    await this.#call('StopPodSandbox', { podSandboxId });
  }

  async removePodSandbox(podSandboxId: string): Promise<void> {
    await this.#call('RemovePodSandbox', { podSandboxId });
  }

  async podSandboxStatus(podSandboxId: string): Promise<SandboxStatus> {
    const asked = await this.#call('PodSandboxStatus', { podSandboxId, verbose: true });
    const { status, info } = v.parse(sandboxStatusSchema, asked);
    const { network, ...sandbox } = status;
    return {
      ...sandbox,
      ip: network?.ip ?? '',
      additionalIps: (network?.additionalIps ?? []).map(({ ip }) => ip),
      netns: netnsOf(info),
    };
  }

  async listPodSandbox(): Promise<readonly Sandbox[]> {
    return v.parse(v.object({ items: v.array(sandboxSchema) }), await this.#call('ListPodSandbox', {})).items;
  }

  /** Makes and starts it; the image must be there. Resolves with the container's id. */
  async runContainer(
    podSandboxId: string,
    sandboxConfig: SandboxConfig,
    config: ContainerConfig,
  ): Promise<string> {
    const made = await this.#call('CreateContainer', { podSandboxId, config, sandboxConfig });
    const { containerId } = v.parse(v.object({ containerId: v.string() }), made);
    await this.#call('StartContainer', { containerId });
    return containerId;
  }

  /** `timeout` in seconds, before it is killed. */
  async stopContainer(containerId: string, timeout = 0): Promise<void> {
    await this.#call('StopContainer', { containerId, timeout });
  }

  async removeContainer(containerId: string): Promise<void> {
    await this.#call('RemoveContainer', { containerId });
  }

  /** A command in a running container; `timeout` in seconds. */
  async execSync(containerId: string, cmd: readonly string[], timeout = 30): Promise<Executed> {
    const said = v.parse(executedSchema, await this.#call('ExecSync', { containerId, cmd, timeout }));
    return { exitCode: said.exitCode, stdout: said.stdout.toString(), stderr: said.stderr.toString() };
  }

  async #call(method: string, request: object): Promise<object> {
    const definition = SERVICE[method];
    invariant(definition !== undefined, `cri.proto has no ${method}`);
    const { promise, resolve, reject } = Promise.withResolvers<object>();
    this.#client.makeUnaryRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      request,
      new Metadata(),
      { deadline: Date.now() + DEADLINE_MS },
      (error, answer) => (error === null ? resolve(answer ?? {}) : reject(new CriError(method, error))),
    );
    return await promise;
  }
}
