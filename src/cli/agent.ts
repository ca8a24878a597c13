import { parseArgs } from 'node:util';
import { visible } from '../base/outside-text.ts';
import { CONFLIST_NAME } from '../install/conflists.ts';
import { type Command, UsageError } from './command.ts';
import { DAEMON_FLAGS, DAEMON_USAGE, type DaemonArguments, daemonArguments } from './daemon.ts';
import { parseOptions } from './options.ts';

export const DEFAULT_PROBE_SOCKET = '/run/leasehold-agent/probe.sock';

export type AgentArguments = DaemonArguments & {
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  /** A file with the network configuration; undefined: the one that needs no configuration. */
  readonly conflist: string | undefined;
  readonly conflistName: string;
  readonly dropIn: boolean;
  /** "NAMESPACE/NAME". */
  readonly daemonSet: string | undefined;
  readonly probeSocket: string;
};

/** `leasehold agent`: the node daemon, and what it needs on the node. Both are the composition root's. */
export function agentCommand(
  levels: readonly string[],
  start: (options: AgentArguments) => Promise<number>,
  remove: (options: AgentArguments, say: (line: string) => void) => Promise<number>,
): Command {
  return {
    name: 'agent',
    usage: `${DAEMON_USAGE} [--cni-bin-dir DIR] [--cni-conf-dir DIR] [--conflist FILE] [--conflist-name NAME] [--drop-in] [--daemonset NAMESPACE/NAME] [--probe-socket PATH] [--remove]`,
    summary:
      'in a DaemonSet: run the node daemon, and keep its plugins and network configuration on the node; --remove takes them away',
    async run(argv) {
      const { values } = parseOptions(() =>
        parseArgs({
          args: [...argv],
          options: {
            ...DAEMON_FLAGS,
            'cni-bin-dir': { type: 'string', default: '/opt/cni/bin' },
            'cni-conf-dir': { type: 'string', default: '/etc/cni/net.d' },
            conflist: { type: 'string' },
            'conflist-name': { type: 'string', default: CONFLIST_NAME },
            'drop-in': { type: 'boolean', default: false },
            daemonset: { type: 'string' },
            'probe-socket': { type: 'string' },
            remove: { type: 'boolean', default: false },
          },
        }),
      );
      const options: AgentArguments = {
        ...daemonArguments(values, levels),
        cniBinDir: absolute('--cni-bin-dir', values['cni-bin-dir']),
        cniConfDir: absolute('--cni-conf-dir', values['cni-conf-dir']),
        conflist: values.conflist,
        conflistName: values['conflist-name'],
        dropIn: values['drop-in'],
        daemonSet: values.daemonset,
        probeSocket: values['probe-socket'] ?? fromEnvironment() ?? DEFAULT_PROBE_SOCKET,
      };
      return values.remove
        ? await remove(options, (line) => console.log(visible(line)))
        : await start(options);
    },
  };
}

/** The probe program has no flags: in the image both are told by this. */
function fromEnvironment(): string | undefined {
  const path = process.env['LEASEHOLD_PROBE_SOCKET'];
  return path === '' ? undefined : path;
}

function absolute(flag: string, path: string): string {
  if (!path.startsWith('/')) throw new UsageError(`${flag} ${path}: must be an absolute path`);
  return path;
}
