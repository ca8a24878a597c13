import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, parseJson, type JsonObject } from '../base/json.ts';
import { CniInputError, type Attachment } from './cni-conf.ts';
import { isErrno } from './errno.ts';
import type { Namespace } from './namespace.ts';
import { runToEnd, systemEnv, type Outcome } from './process.ts';

/** The spec leaves 999 and the like to runtimes; libcni uses it for answers that are not error objects. */
const NO_ERROR_OBJECT = 999;
const MAX_SAID = 2000;

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';

/** A plugin that answered with an error, or not as the spec wants. `code` is the error object's, 999 without one. */
export class CniPluginError extends Error {
  override readonly name = 'CniPluginError';
  readonly plugin: string;
  readonly command: CniCommand;
  readonly code: number;
  readonly msg: string;
  readonly details: string;
  readonly outcome: Outcome;

  constructor(
    plugin: string,
    command: CniCommand,
    error: { readonly code: number; readonly msg: string; readonly details?: string },
    outcome: Outcome,
  ) {
    const details = error.details ?? '';
    super(
      `plugin ${plugin} failed (${command}, code ${error.code}): ${error.msg}${details === '' ? '' : `; ${details}`}`,
    );
    this.plugin = plugin;
    this.command = command;
    this.code = error.code;
    this.msg = error.msg;
    this.details = details;
    this.outcome = outcome;
  }
}

/** The first executable of that name in the folders. Throws CniInputError when there is none. */
export async function findPlugin(type: string, binDirs: readonly string[]): Promise<string> {
  if (type.includes('/')) throw new CniInputError(`plugin type "${type}" must be a name, not a path`);
  for (const folder of binDirs) {
    const path = join(folder, type);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'EACCES', 'ENOTDIR')) throw error;
    }
  }
  throw new CniInputError(`no plugin "${type}" in ${binDirs.join(', ')}`);
}

/**
 * The node's namespace. A plugin works on the network namespace that it finds itself in: in the machine's own it would
 * make its links on the machine's own interfaces, so there is no default. `harmless` is for plugins that touch no
 * network (scripted ones).
 */
export type PluginPlace = Namespace | 'harmless';

/** Without nsenter's own start (a millisecond) where this process is in the node's namespace already. */
async function inPlace(path: string, place: PluginPlace): Promise<readonly string[]> {
  if (place === 'harmless' || (await place.holds(process.pid))) return [path];
  return place.command([path]);
}

export type ExecRequest = {
  readonly place: PluginPlace;
  readonly command: CniCommand;
  readonly attachment: Attachment | undefined;
  readonly stdin: string;
  readonly binDirs: readonly string[];
  /** CNI_PATH where it is not the folders searched. */
  readonly cniPath?: string;
  /** Added to the runtime's own environment; a plugin inherits that, as under every runtime. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
};

/** The variables of the spec's section 2; all of them are set, to nothing where there is nothing. */
function cniEnv(request: ExecRequest): Record<string, string> {
  const { command, attachment, binDirs } = request;
  const args = Object.entries(attachment?.args ?? {}).map(([key, value]) => `${key}=${value}`);
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: attachment?.containerId ?? '',
    CNI_NETNS: attachment?.netns ?? '',
    CNI_ARGS: args.join(';'),
    CNI_IFNAME: attachment?.ifName ?? '',
    CNI_PATH: request.cniPath ?? binDirs.join(':'),
  };
}

function errorObject(outcome: Outcome): { code: number; msg: string; details?: string } {
  if (outcome.stopped !== undefined) return { code: NO_ERROR_OBJECT, msg: outcome.stopped };
  const said = outcome.stdout.trim();
  if (said === '') {
    const stderr = outcome.stderr.trim().slice(0, MAX_SAID);
    return {
      code: NO_ERROR_OBJECT,
      msg: `no error message on stdout, exit status ${outcome.status}: "${stderr}"`,
    };
  }
  const parsed = parseJson(said);
  if (!parsed.ok || !isJsonObject(parsed.value)) {
    return {
      code: NO_ERROR_OBJECT,
      msg: `exit status ${outcome.status} and not an error object: ${said.slice(0, MAX_SAID)}`,
    };
  }
  const { code, msg, details } = parsed.value;
  return {
    code: typeof code === 'number' ? code : NO_ERROR_OBJECT,
    msg: typeof msg === 'string' ? msg : '',
    ...(typeof details === 'string' ? { details } : {}),
  };
}

export type Executed = {
  readonly plugin: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
};

/** Runs one plugin once. `ms` is from before the process is made until its answer is read. Throws CniPluginError. */
export async function execPlugin(plugin: string, request: ExecRequest): Promise<Executed> {
  const path = await findPlugin(plugin, request.binDirs);
  const command = await inPlace(path, request.place);
  const before = performance.now();
  const outcome = await runToEnd(command, {
    input: request.stdin,
    env: systemEnv({ ...request.env, ...cniEnv(request) }),
    timeoutMs: request.timeoutMs,
    signal: request.signal,
  });
  const ms = performance.now() - before;
  if (outcome.stopped !== undefined || outcome.status !== 0) {
    throw new CniPluginError(plugin, request.command, errorObject(outcome), outcome);
  }
  return { plugin, stdout: outcome.stdout, stderr: outcome.stderr, ms };
}

/** A plugin's answer as an object; a result without a version is in the configuration's. */
export function parseAnswer(executed: Executed, command: CniCommand, cniVersion: string): JsonObject {
  const parsed = parseJson(executed.stdout);
  if (!parsed.ok || !isJsonObject(parsed.value)) {
    const outcome = { status: 0, stdout: executed.stdout, stderr: executed.stderr, stopped: undefined };
    const msg = `success, but not a result: "${executed.stdout.slice(0, MAX_SAID)}"`;
    throw new CniPluginError(executed.plugin, command, { code: NO_ERROR_OBJECT, msg }, outcome);
  }
  const said = parsed.value['cniVersion'];
  const known = typeof said === 'string' && said !== '';
  return known ? parsed.value : { ...parsed.value, cniVersion };
}
