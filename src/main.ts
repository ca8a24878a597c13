import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseJson, isJsonObject } from './base/json.ts';
import type { AgentOptions } from './agent.ts';
import { adoptCommand } from './cli/adopt.ts';
import { type AgentArguments, agentCommand } from './cli/agent.ts';
import { type Command, UsageError } from './cli/command.ts';
import { conflistCommand } from './cli/conflist.ts';
import { daemonCommand } from './cli/daemon.ts';
import { installCommand } from './cli/install.ts';
import { doctorCommand } from './cli/doctor.ts';
import type { DoctorParts } from './cli/doctor-parts.ts';
import { leasesCommand } from './cli/leases.ts';
import { oneLine } from './cli/one-line.ts';
import { uninstallCommand } from './cli/uninstall.ts';
import { asksForHelp, usageText } from './cli/usage.ts';
import { installParts } from './host-install.ts';
import { isLogLevel, LOG_LEVELS } from './observe/log.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

async function openDoctor(): Promise<DoctorParts> {
  const { openDoctorParts } = await import('./doctor-parts.ts');
  return openDoctorParts(ROOT);
}

const INSTALL = installParts(ROOT, version, openDoctor);

function agentOptions({ logLevel, ...options }: AgentArguments): AgentOptions {
  return {
    ...options,
    logLevel: isLogLevel(logLevel) ? logLevel : 'info',
    plugin: join(ROOT, 'dist', 'cni', 'leasehold'),
  };
}

/** The subcommands. What is heavy is imported when it is asked for. */
const COMMANDS: readonly Command[] = [
  daemonCommand(LOG_LEVELS, async ({ logLevel, ...options }) => {
    // Before the rest is read, which takes most of the time of a start: whoever calls meanwhile waits for it.
    const { claimSocket } = await import('./daemon/listen.ts');
    const claim = claimSocket(options.socketPath);
    try {
      const { runDaemon } = await import('./daemon/daemon.ts');
      await runDaemon({ ...options, logLevel: isLogLevel(logLevel) ? logLevel : 'info' });
    } finally {
      claim.release();
    }
  }),
  agentCommand(
    LOG_LEVELS,
    async (options) => {
      // As early as for the daemon; undefined: another one serves this node.
      const { tryToClaimSocket } = await import('./daemon/listen.ts');
      const claim = tryToClaimSocket(options.socketPath);
      try {
        const { runAgent } = await import('./agent.ts');
        return await runAgent(agentOptions(options), claim);
      } finally {
        claim?.release();
      }
    },
    async (options, say) => {
      const { removeAgent } = await import('./agent.ts');
      return await removeAgent(agentOptions(options), say);
    },
  ),
  leasesCommand,
  adoptCommand,
  doctorCommand(openDoctor),
  conflistCommand(openDoctor),
  installCommand(INSTALL),
  uninstallCommand({
    ...INSTALL,
    undoHost: async (stateDir) => {
      const { undoHost } = await import('./host-undo.ts');
      return undoHost(stateDir);
    },
  }),
  {
    name: 'lab',
    usage: '[--keep] | shell NAME | attach NAME | detach NAME | status | break [NAME] | heal [NAME] | down',
    summary: 'a home LAN in network namespaces, with pods that get their leases',
    hasOwnHelp: true,
    run: async (argv) => {
      const { runLab } = await import('./lab/lab.ts');
      return runLab(argv, { root: ROOT });
    },
  },
  {
    name: 'version',
    usage: '',
    summary: 'print the version',
    run: () => {
      console.log(version());
      return Promise.resolve(0);
    },
  },
];

function version(): string {
  const json = parseJson(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const text = json.ok && isJsonObject(json.value) ? json.value['version'] : undefined;
  return typeof text === 'string' ? text : 'unknown';
}

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  const isHelp = name === 'help' || name === '--help' || name === '-h';
  const asked = isHelp && rest.length > 0 ? rest[0] : name;
  if (name === undefined || (isHelp && asked === name)) {
    process.stdout.write(usageText(COMMANDS));
    return name === undefined ? 2 : 0;
  }
  const command = COMMANDS.find((known) => known.name === asked);
  const asksHow = isHelp || asksForHelp(rest);
  if (command !== undefined && asksHow && command.hasOwnHelp !== true) {
    process.stdout.write(usageText([command]));
    return 0;
  }
  try {
    if (command === undefined) throw new UsageError(`there is no command "${asked}"`);
    return await command.run(isHelp ? ['--help'] : rest);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    process.stderr.write(`leasehold: ${oneLine(error.message)}\n`);
    if (!(error instanceof UsageError)) return 1;
    process.stderr.write(usageText(command === undefined ? COMMANDS : [command]));
    return 2;
  }
}

// A reader that has seen enough ("| head") is no failure of ours.
process.stdout.on('error', (error: Error & { code?: string }) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
