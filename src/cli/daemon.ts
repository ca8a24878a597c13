import { parseArgs } from 'node:util';
import { type Command, UsageError } from './command.ts';
import { DEFAULT_SOCKET, parseOptions } from './options.ts';

export const DEFAULT_STATE_DIR = '/var/lib/leasehold';

export type DaemonArguments = {
  readonly socketPath: string;
  readonly stateDir: string;
  readonly configPath: string | undefined;
  readonly logLevel: string;
  readonly serviceCidrs: readonly string[];
  readonly kubeconfig: string | undefined;
};

export const DAEMON_USAGE =
  '[--socket PATH] [--state-dir DIR] [--config FILE] [--service-cidr CIDR]... [--kubeconfig FILE] [--log-level LEVEL]';

/** For parseArgs of node:util. */
export const DAEMON_FLAGS = {
  socket: { type: 'string', default: DEFAULT_SOCKET },
  'state-dir': { type: 'string', default: DEFAULT_STATE_DIR },
  config: { type: 'string' },
  'service-cidr': { type: 'string', multiple: true, default: [] as string[] },
  kubeconfig: { type: 'string' },
  'log-level': { type: 'string', default: 'info' },
} as const;

type Values = {
  readonly socket: string;
  readonly 'state-dir': string;
  readonly config?: string | undefined;
  readonly 'service-cidr': readonly string[];
  readonly kubeconfig?: string | undefined;
  readonly 'log-level': string;
};

/** Throws UsageError. */
export function daemonArguments(values: Values, levels: readonly string[]): DaemonArguments {
  const { kubeconfig } = values;
  const logLevel = values['log-level'];
  if (!levels.includes(logLevel)) {
    throw new UsageError(`--log-level ${logLevel}: must be one of ${levels.join(', ')}`);
  }
  if (kubeconfig !== undefined && !kubeconfig.startsWith('/')) {
    throw new UsageError(`--kubeconfig ${kubeconfig}: must be an absolute path`);
  }
  return {
    socketPath: values.socket,
    stateDir: values['state-dir'],
    configPath: values.config,
    logLevel,
    serviceCidrs: values['service-cidr'],
    kubeconfig,
  };
}

/** `leasehold daemon`: the node daemon in the foreground. `start` is the composition root's. */
export function daemonCommand(
  levels: readonly string[],
  start: (options: DaemonArguments) => Promise<void>,
): Command {
  return {
    name: 'daemon',
    usage: DAEMON_USAGE,
    summary: 'run the node daemon in the foreground',
    async run(argv) {
      const { values } = parseOptions(() => parseArgs({ args: [...argv], options: DAEMON_FLAGS }));
      await start(daemonArguments(values, levels));
      return 0;
    },
  };
}
