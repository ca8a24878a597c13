import { parseArgs } from 'node:util';
import { type Command, UsageError } from './command.ts';
import { DEFAULT_SOCKET, parseOptions } from './options.ts';

export const DEFAULT_STATE_DIR = '/var/lib/leasehold';

type DaemonArguments = {
  readonly socketPath: string;
  readonly stateDir: string;
  readonly configPath: string | undefined;
  readonly logLevel: string;
  readonly serviceCidrs: readonly string[];
  readonly kubeconfig: string | undefined;
};

/** `leasehold daemon`: the node daemon in the foreground. `start` is the composition root's. */
export function daemonCommand(
  levels: readonly string[],
  start: (options: DaemonArguments) => Promise<void>,
): Command {
  return {
    name: 'daemon',
    usage:
      '[--socket PATH] [--state-dir DIR] [--config FILE] [--service-cidr CIDR]... [--kubeconfig FILE] [--log-level LEVEL]',
    summary: 'run the node daemon in the foreground',
    async run(argv) {
      const { values } = parseOptions(() =>
        parseArgs({
          args: [...argv],
          options: {
            socket: { type: 'string', default: DEFAULT_SOCKET },
            'state-dir': { type: 'string', default: DEFAULT_STATE_DIR },
            config: { type: 'string' },
            'service-cidr': { type: 'string', multiple: true, default: [] },
            kubeconfig: { type: 'string' },
            'log-level': { type: 'string', default: 'info' },
          },
        }),
      );
      const logLevel = values['log-level'];
      if (!levels.includes(logLevel)) {
        throw new UsageError(`--log-level ${logLevel}: must be one of ${levels.join(', ')}`);
      }
      const { kubeconfig } = values;
      if (kubeconfig !== undefined && !kubeconfig.startsWith('/')) {
        throw new UsageError(`--kubeconfig ${kubeconfig}: must be an absolute path`);
      }
      await start({
        socketPath: values.socket,
        stateDir: values['state-dir'],
        configPath: values.config,
        logLevel,
        serviceCidrs: values['service-cidr'],
        kubeconfig,
      });
      return 0;
    },
  };
}
