import { normalize } from 'node:path/posix';
import { ifnameProblem } from '../../base/ifname.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { parseArgs, parseFlag, NO_ARGS, type CniArgs } from './args.ts';
import { CniError, quoted } from './errors.ts';
import { nameProblem } from './names.ts';

export const CNI_COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;

export type CniCommand = (typeof CNI_COMMANDS)[number];

/** A request about one attachment. */
export type AttachmentEnv = {
  readonly command: 'ADD' | 'CHECK';
  readonly containerId: string;
  /** Absolute path of the network namespace. */
  readonly netns: string;
  readonly ifname: string;
  readonly args: CniArgs;
  readonly path: readonly string[];
  /** CNI_NETNS_OVERRIDE: the container's namespace may be that of the plugin. */
  readonly netnsOverride: boolean;
};

/** As the others, but the namespace may be gone and its path with it. */
export type DelEnv = Omit<AttachmentEnv, 'command' | 'netns'> & {
  readonly command: 'DEL';
  readonly netns: string | undefined;
};

/** A request about the node. */
export type NodeEnv = { readonly command: 'GC' | 'STATUS' | 'VERSION'; readonly path: readonly string[] };

export type CniEnv = AttachmentEnv | DelEnv | NodeEnv;

type Variables = Readonly<Record<string, string | undefined>>;

/** PATH_MAX (linux/limits.h), with the terminating zero. */
const PATH_MAX = 4096;

/** Required by the spec, section "Parameters" of each verb. The Go library also wants CNI_PATH for ADD; the spec does not. */
const REQUIRED = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: ['CNI_PATH'],
  STATUS: [],
  VERSION: [],
} as const satisfies Record<CniCommand, readonly string[]>;

/**
 * The CNI_* variables of a request; others are not looked at. An empty value is as good as none. The error has
 * code 4 and names every variable that is missing, or else every one that is wrong.
 */
export function parseEnv(variables: Variables): Result<CniEnv, CniError> {
  const valueOf = (name: string): string => (Object.hasOwn(variables, name) ? (variables[name] ?? '') : '');
  const text = valueOf('CNI_COMMAND');
  if (text === '') return invalid(['CNI_COMMAND is not set; it must be one of ' + CNI_COMMANDS.join(', ')]);
  const command = CNI_COMMANDS.find((known) => known === text);
  if (command === undefined) {
    return invalid([`CNI_COMMAND: ${quoted(text)} is none of ${CNI_COMMANDS.join(', ')}`]);
  }
  const missing = REQUIRED[command].filter((name) => valueOf(name) === '');
  if (missing.length > 0) {
    return invalid([
      `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not set; ${command} needs ${missing.length === 1 ? 'it' : 'them'}`,
    ]);
  }
  const path = parsePath(valueOf('CNI_PATH'));
  if (command === 'GC' || command === 'STATUS' || command === 'VERSION') return ok({ command, path });
  return parseAttachment(command, path, valueOf);
}

function parseAttachment(
  command: 'ADD' | 'CHECK' | 'DEL',
  path: readonly string[],
  valueOf: (name: string) => string,
): Result<AttachmentEnv | DelEnv, CniError> {
  const containerId = valueOf('CNI_CONTAINERID');
  const ifname = valueOf('CNI_IFNAME');
  const named = valueOf('CNI_NETNS');
  // What is detached may be without one: the daemon remembers which it was.
  const netns = command === 'DEL' && isOfCaller(named) ? '' : named;
  const args = parseArgs(valueOf('CNI_ARGS'));
  const problems = [
    problem('CNI_CONTAINERID', containerId, nameProblem(containerId)),
    problem('CNI_IFNAME', ifname, ifnameProblem(ifname)),
    netns === '' ? undefined : problem('CNI_NETNS', netns, netnsProblem(netns)),
    args.ok ? undefined : `CNI_ARGS ${args.error}`,
  ].filter((text) => text !== undefined);
  if (problems.length > 0) return invalid(problems);
  const common = {
    containerId,
    ifname,
    args: args.ok ? args.value : NO_ARGS,
    path,
    netnsOverride: parseFlag(valueOf('CNI_NETNS_OVERRIDE')) ?? false,
  };
  if (command === 'DEL') return ok({ command, ...common, netns: netns === '' ? undefined : netns });
  return ok({ command, ...common, netns });
}

/**
 * The folders of CNI_PATH. Only absolute ones: the others are relative to the folder in which the runtime runs,
 * and the daemon, which would have to look there, runs elsewhere and as root.
 */
function parsePath(text: string): readonly string[] {
  return text.split(':').filter((folder) => folder.startsWith('/') && folder.length < PATH_MAX);
}

/** Of the process that opens it (proc(5)); what links there is known to the relay, which is the caller's process. */
const OF_CALLER = /^\/(?:proc\/(?:self|thread-self)|dev\/(?:fd|stdin|stdout|stderr))(?:\/|$)/;

function isOfCaller(path: string): boolean {
  return OF_CALLER.test(normalize(path));
}

function netnsProblem(text: string): string | undefined {
  if (!text.startsWith('/')) return 'must be an absolute path, such as /run/netns/NAME';
  if (isOfCaller(text)) {
    return 'is another file in each process: give a path such as /run/netns/NAME or /proc/PID/ns/net';
  }
  if (text.includes('\0')) return 'has a zero byte';
  return text.length >= PATH_MAX ? `is longer than ${PATH_MAX - 1} characters` : undefined;
}

function problem(variable: string, value: string, what: string | undefined): string | undefined {
  return what === undefined ? undefined : `${variable}: ${quoted(value)} ${what}`;
}

function invalid(problems: readonly string[]): Result<never, CniError> {
  return err(new CniError('invalid-env', problems.join('; ')));
}
