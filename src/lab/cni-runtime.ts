import type { JsonObject } from '../base/json.ts';
import { ResultCache } from './cni-cache.ts';
import {
  checkAttachment,
  CniInputError,
  executionConf,
  versionAtLeast,
  type Attachment,
  type NetworkList,
} from './cni-conf.ts';
import { execPlugin, parseAnswer, type CniCommand, type Executed, type PluginPlace } from './cni-exec.ts';

/** A pod's ADD must end within kubelet's limit for a sandbox: twice its runtimeRequestTimeout of 2 minutes. */
const DEFAULT_TIMEOUT_MS = 240_000;
/** Spec versions that brought a command, or the cached result for DEL. */
const CHECK_SINCE = '0.4.0';
const GC_AND_STATUS_SINCE = '1.1.0';

export type RuntimeOptions = {
  readonly place: PluginPlace;
  /** Where plugins are looked for, in this order. */
  readonly binDirs: readonly string[];
  readonly cache?: ResultCache;
  /** Set for every plugin beside the runtime's own environment, LEASEHOLD_SOCKET for example. */
  readonly env?: Readonly<Record<string, string>>;
  /** For one run of one plugin. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
};

/** One run of one plugin, in milliseconds. */
export type PluginTime = { readonly plugin: string; readonly ms: number };

/** `ms` is the whole command, as the caller of a runtime waits for it. */
export type Times = { readonly ms: number; readonly plugins: readonly PluginTime[] };
export type Added = Times & { readonly result: JsonObject };

type PluginInput = {
  readonly attachment?: Attachment;
  readonly prevResult?: JsonObject | undefined;
  readonly inject?: JsonObject;
};

/**
 * A CNI runtime that calls plugins as libcni does (and so containerd, CRI-O, podman before 6): chains in order with prevResult,
 * DEL in reverse with the cached result, GC by what is still valid. Errors: CniPluginError, CniInputError.
 */
export class CniRuntime {
  readonly #options: RuntimeOptions;
  readonly #cache: ResultCache;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#cache = options.cache ?? ResultCache.inMemory();
  }

  async #exec(list: NetworkList, at: number, command: CniCommand, input: PluginInput): Promise<Executed> {
    const entry = list.plugins[at];
    if (entry === undefined) throw new CniInputError(`network ${list.name} has no plugin ${at}`);
    const { attachment, prevResult, inject } = input;
    const capabilityArgs = attachment?.capabilityArgs;
    return await execPlugin(entry.type, {
      command,
      attachment,
      stdin: executionConf(list, entry, {
        prevResult,
        capabilityArgs,
        ...(inject === undefined ? {} : { inject }),
      }),
      place: this.#options.place,
      binDirs: this.#options.binDirs,
      env: this.#options.env ?? {},
      timeoutMs: this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal: this.#options.signal,
    });
  }

  async #each(
    list: NetworkList,
    order: readonly number[],
    command: CniCommand,
    input: PluginInput,
  ): Promise<Times> {
    const before = performance.now();
    const plugins: PluginTime[] = [];
    for (const at of order) {
      const { plugin, ms } = await this.#exec(list, at, command, input);
      plugins.push({ plugin, ms });
    }
    return { ms: performance.now() - before, plugins };
  }

  async #addChain(list: NetworkList, attachment: Attachment): Promise<Added> {
    const before = performance.now();
    const plugins: PluginTime[] = [];
    let prevResult: JsonObject | undefined;
    for (const at of list.plugins.keys()) {
      const executed = await this.#exec(list, at, 'ADD', { attachment, prevResult });
      prevResult = parseAnswer(executed, 'ADD', list.cniVersion);
      plugins.push({ plugin: executed.plugin, ms: executed.ms });
    }
    return { result: prevResult ?? {}, ms: performance.now() - before, plugins };
  }

  /**
   * Attaches. When a plugin fails, the chain is deleted again as runtimes do (switch off with `delOnFailure: false` to
   * see what the failure itself leaves); the plugin's error is thrown, a failing clean-up only adds to its `cause`.
   */
  async add(
    list: NetworkList,
    attachment: Attachment,
    options: { readonly delOnFailure?: boolean } = {},
  ): Promise<Added> {
    checkAttachment(attachment);
    try {
      const added = await this.#addChain(list, attachment);
      await this.#cache.put({ network: list.name, attachment, result: added.result });
      return added;
    } catch (error) {
      if (options.delOnFailure ?? true) await this.#cleanUp(list, attachment, error);
      throw error;
    }
  }

  async #cleanUp(list: NetworkList, attachment: Attachment, cause: unknown): Promise<void> {
    try {
      await this.del(list, attachment);
    } catch (error) {
      if (cause instanceof Error) cause.cause = error;
    }
  }

  /** The result of the attachment's ADD, while it is attached. */
  cachedResult(list: NetworkList, attachment: Attachment): JsonObject | undefined {
    return this.#cache.get(list.name, attachment);
  }

  async del(list: NetworkList, attachment: Attachment): Promise<Times> {
    // The cached result on DEL came with the same version as CHECK.
    const cached = versionAtLeast(list.cniVersion, CHECK_SINCE)
      ? this.cachedResult(list, attachment)
      : undefined;
    const order = [...list.plugins.keys()].toReversed();
    const times = await this.#each(list, order, 'DEL', { attachment, prevResult: cached });
    await this.#cache.delete(list.name, attachment);
    return times;
  }

  /** Throws CniInputError for a version without CHECK and for what was never attached. */
  async check(list: NetworkList, attachment: Attachment): Promise<Times> {
    if (!versionAtLeast(list.cniVersion, CHECK_SINCE)) {
      throw new CniInputError(`configuration version "${list.cniVersion}" has no CHECK`);
    }
    if (list.disableCheck) return { ms: 0, plugins: [] };
    const prevResult = this.cachedResult(list, attachment);
    if (prevResult === undefined)
      throw new CniInputError(`${attachment.containerId} is not attached to ${list.name}`);
    return await this.#each(list, [...list.plugins.keys()], 'CHECK', { attachment, prevResult });
  }

  /**
   * Deletes what the cache has and `valid` has not, then tells the plugins what is valid. Goes on after a failure and
   * throws all of them at the end.
   */
  async gc(list: NetworkList, valid: readonly Attachment[]): Promise<void> {
    if (list.disableGc) return;
    const still = valid.map(({ containerId, ifName }) => ({ containerID: containerId, ifname: ifName }));
    const isStill = (one: Attachment): boolean =>
      valid.some((other) => other.containerId === one.containerId && other.ifName === one.ifName);
    const failures: unknown[] = [];
    const attempt = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        failures.push(error);
      }
    };
    for (const { attachment } of this.#cache.list(list.name).filter((entry) => !isStill(entry.attachment))) {
      await attempt(async () => await this.del(list, attachment));
    }
    if (versionAtLeast(list.cniVersion, GC_AND_STATUS_SINCE)) {
      // The second name is a mistake of an early text of the spec that runtimes still send along.
      const inject = { 'cni.dev/valid-attachments': still, 'cni.dev/attachments': still };
      for (const at of list.plugins.keys()) {
        await attempt(async () => await this.#exec(list, at, 'GC', { inject }));
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, `GC of ${list.name}: ${failures.join('; ')}`);
  }

  /** Throws the first plugin's error that is not ready. Does nothing for versions without STATUS. */
  async status(list: NetworkList): Promise<Times> {
    const since = versionAtLeast(list.cniVersion, GC_AND_STATUS_SINCE);
    return await this.#each(list, since ? [...list.plugins.keys()] : [], 'STATUS', {});
  }

  /** The versions a plugin says that it supports. */
  async version(type: string): Promise<readonly string[]> {
    const executed = await execPlugin(type, {
      command: 'VERSION',
      // As libcni: placeholders, because early plugins wanted every variable to be set.
      attachment: { containerId: '', netns: 'dummy', ifName: 'dummy' },
      stdin: JSON.stringify({ cniVersion: GC_AND_STATUS_SINCE }),
      place: this.#options.place,
      binDirs: this.#options.binDirs,
      cniPath: 'dummy',
      env: this.#options.env ?? {},
      timeoutMs: this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal: this.#options.signal,
    });
    const supported = parseAnswer(executed, 'VERSION', GC_AND_STATUS_SINCE)['supportedVersions'];
    return Array.isArray(supported) ? supported.filter((version) => typeof version === 'string') : [];
  }
}
