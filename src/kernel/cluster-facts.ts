import { getFromApi } from './kube-api.ts';
import { askProgram } from './node-command.ts';
import { listFolder, readText } from './node-files.ts';
import { processesHere, type ProcessLook } from './node-processes.ts';

/** What shows which cluster this machine belongs to. It changes nothing. */
export class KernelClusterFacts {
  readText(path: string): string | undefined {
    return readText(path);
  }

  list(folder: string): readonly string[] | undefined {
    return listFolder(folder);
  }

  processes(): readonly ProcessLook[] {
    return processesHere();
  }

  async proxyRules(): Promise<{
    readonly iptables: string | undefined;
    readonly nftables: string | undefined;
  }> {
    const [iptables, nftables] = await Promise.all([
      printed('iptables-save', ['-t', 'nat']),
      printed('nft', ['-j', 'list', 'set', 'ip', 'kube-proxy', 'cluster-ips']),
    ]);
    return { iptables, nftables };
  }

  readonly askApi = getFromApi;
}

async function printed(program: string, args: readonly string[]): Promise<string | undefined> {
  const outcome = await askProgram(program, args);
  return outcome.kind === 'done' ? outcome.stdout : undefined;
}
