import { parseJson } from '../../base/json.ts';
import type { AddCall, CheckCall, DelCall, NodeCall } from '../context.ts';
import type { RunDelegate } from '../ports.ts';
import { isJsonObject, type JsonObject } from '../../base/json.ts';
import { type ErrorName, ERRORS } from '../spec/error-table.ts';
import { CniError } from '../spec/errors.ts';
import { parseResult } from '../spec/result-read.ts';
import type { Allocation, Ipam, IpamTarget } from './ipam.ts';

/** Characters of another plugin's error. */
const MOST_SAID = 1024;

type AnyCall = AddCall | DelCall | CheckCall | NodeCall;

/** STATUS has two codes of its own, which say the same of whoever runs the plugin. */
function statusKind(answer: JsonObject | undefined): ErrorName {
  const isLimited = answer?.['code'] === ERRORS['limited-connectivity'].code;
  return isLimited ? 'limited-connectivity' : 'not-available';
}

/** Another IPAM plugin, run as the CNI specification's section on delegation says: same environment, same stdin. */
export class ExecIpam implements Ipam {
  readonly asksTheLan = false;
  readonly #run: RunDelegate;
  readonly #type: string;

  constructor(run: RunDelegate, type: string) {
    this.#run = run;
    this.#type = type;
  }

  /** What it may say is for the plugin to judge. */
  verify(): void {}

  async add(call: AddCall, _target: IpamTarget, signal: AbortSignal): Promise<Allocation> {
    const json = await this.#delegate(call, 'ADD', signal).catch((error: unknown) => {
      // Ended because nobody waits: who said so is the reason.
      signal.throwIfAborted();
      throw error;
    });
    if (json === undefined) throw this.#failed('ADD printed no result');
    const result = parseResult(json, call.conf.cniVersion, `result of ${this.#type}`);
    if (!result.ok) throw this.#failed(result.error.message);
    if (result.value.ips.length === 0) throw this.#failed('its result has no address');
    return { result: result.value, mtu: undefined };
  }

  async del(call: AddCall | DelCall): Promise<void> {
    await this.#delegate(call, 'DEL');
  }

  async check(call: CheckCall): Promise<void> {
    await this.#delegate(call, 'CHECK');
  }

  async gc(call: NodeCall): Promise<void> {
    await this.#delegate(call, 'GC');
  }

  async status(call: NodeCall): Promise<void> {
    await this.#delegate(call, 'STATUS');
  }

  #failed(text: string, kind: ErrorName = 'ipam-failed'): CniError {
    return new CniError(kind, `IPAM plugin "${this.#type}": ${text}`);
  }

  async #delegate(call: AnyCall, command: string, signal?: AbortSignal): Promise<JsonObject | undefined> {
    const ended = await this.#run({
      type: this.#type,
      path: call.env.path,
      environment: { ...call.environment, CNI_COMMAND: command },
      stdin: call.stdin,
      ...(signal === undefined ? {} : { signal }),
    });
    if (ended.kind === 'not-found') {
      throw new CniError(
        'ipam-not-found',
        `IPAM plugin "${this.#type}" is in none of CNI_PATH (${call.env.path.join(':')})`,
      );
    }
    const json = parseJson(ended.stdout.trim() === '' ? 'null' : ended.stdout);
    const object = json.ok && isJsonObject(json.value) ? json.value : undefined;
    if (ended.status === 0) {
      if (object === undefined && ended.stdout.trim() !== '')
        throw this.#failed(`${command} printed no JSON object`);
      return object;
    }
    // The plugin's own words go through; its code does not, because it says nothing about this plugin.
    const said =
      typeof object?.['msg'] === 'string' ? object['msg'] : ended.stderr.trim() || ended.stdout.trim();
    const status =
      ended.status === undefined ? 'was ended by a signal or its time limit' : `exit ${ended.status}`;
    const kind = command === 'STATUS' ? statusKind(object) : undefined;
    const words = said.slice(0, MOST_SAID).replaceAll(/\s+/g, ' ');
    throw this.#failed(`${command} failed (${status}): ${words}`, kind);
  }
}
