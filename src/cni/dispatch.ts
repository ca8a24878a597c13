import type { JsonObject } from '../base/json.ts';
import type { Call, Plugin, PluginServices } from './context.ts';
import { CONF_KEYS } from './plugins/conf-keys.ts';
import { dhcpPlugin } from './plugins/dhcp.ts';
import { leaseholdPlugin } from './plugins/leasehold.ts';
import { macvlanPlugin } from './plugins/macvlan.ts';
import { routeOverridePlugin } from './plugins/route-override.ts';
import { answerVersion, decodeConf, type NetConf } from './spec/conf.ts';
import { type CniEnv, parseEnv } from './spec/env.ts';
import { CniError, toErrorObject } from './spec/errors.ts';
import type { CniResult } from './spec/result.ts';
import { resultToVersion } from './spec/result-write.ts';
import { knowsCheck, knowsGc, knowsStatus, versionReply } from './spec/versions.ts';

/** One CNI request, as the relay brings it. `environment` are the CNI_* variables. */
export type CniRequest = {
  readonly plugin: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** Aborts when the runtime no longer waits. */
  readonly hangUp: AbortSignal;
};

/** What the plugin prints. `body` is undefined for a success that prints nothing. */
export type CniAnswer = { readonly ok: boolean; readonly body: JsonObject | undefined };

/** The plugin types by the name of their executable. */
function pluginsOf(services: PluginServices): ReadonlyMap<string, Plugin> {
  return new Map([
    ['dhcp', dhcpPlugin(services)],
    ['leasehold', leaseholdPlugin(services)],
    ['macvlan', macvlanPlugin(services)],
    ['route-override', routeOverridePlugin(services)],
  ]);
}

/** The CNI front door: decodes, runs the verb, and turns every outcome into what the specification says. */
export class CniDispatcher {
  readonly #plugins: ReadonlyMap<string, Plugin>;
  readonly #log: PluginServices['log'];

  constructor(services: PluginServices) {
    this.#plugins = pluginsOf(services);
    this.#log = services.log;
  }

  /** Never rejects. */
  async handle(request: CniRequest): Promise<CniAnswer> {
    try {
      return { ok: true, body: await this.#run(request) };
    } catch (error) {
      if (!(error instanceof CniError)) {
        const stack = error instanceof Error ? error.stack : String(error);
        this.#log.warn({ plugin: request.plugin, error: stack }, 'a CNI request met an unexpected error');
      }
      return {
        ok: false,
        body: { ...toErrorObject(error, answerVersion(request.stdin, CONF_KEYS.get(request.plugin))) },
      };
    }
  }

  async #run(request: CniRequest): Promise<JsonObject | undefined> {
    const env = parseEnv(request.environment);
    if (!env.ok) throw env.error;
    if (env.value.command === 'VERSION') return { ...versionReply() };
    const conf = decodeConf(request.stdin, CONF_KEYS.get(request.plugin));
    if (!conf.ok) throw conf.error;
    const plugin = this.#plugins.get(request.plugin);
    if (plugin === undefined) {
      const known = [...this.#plugins.keys()].join(', ');
      throw new CniError('plugin-unknown', `"${request.plugin}" is no plugin type of this daemon (${known})`);
    }
    const { environment, stdin, hangUp } = request;
    const result = await runVerb(plugin, env.value, { conf: conf.value, environment, stdin, hangUp });
    return result === undefined ? undefined : resultToVersion(result, conf.value.cniVersion);
  }
}

async function runVerb(
  plugin: Plugin,
  env: CniEnv,
  call: Omit<Call<unknown>, 'env'>,
): Promise<CniResult | undefined> {
  switch (env.command) {
    case 'ADD':
      return plugin.add({ ...call, env });
    case 'DEL':
      await plugin.del({ ...call, env });
      return undefined;
    case 'CHECK':
      requireVerb(call.conf, 'CHECK', knowsCheck(call.conf.cniVersion));
      await plugin.check({ ...call, env });
      return undefined;
    case 'GC':
      requireVerb(call.conf, 'GC', knowsGc(call.conf.cniVersion));
      await plugin.gc({ ...call, env });
      return undefined;
    case 'STATUS':
      requireVerb(call.conf, 'STATUS', knowsStatus(call.conf.cniVersion));
      await plugin.status({ ...call, env });
      return undefined;
    case 'VERSION':
      return undefined;
  }
}

function requireVerb(conf: NetConf, verb: string, known: boolean): void {
  if (known) return;
  throw new CniError('incompatible-version', `cniVersion: ${conf.cniVersion} does not have ${verb}`);
}
