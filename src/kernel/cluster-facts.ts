import { getFromApi } from './kube-api.ts';
import { askProgram } from './node-command.ts';
import { listFolder, readText } from './node-files.ts';
import { processesHere, type ProcessLook } from './node-processes.ts';

/** The tables of iptables' old kind (x_tables) that this network namespace has. */
const OLD_KIND_TABLES = '/proc/net/ip_tables_names';

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
      natRules(),
      printed('nft', ['-j', 'list', 'set', 'ip', 'kube-proxy', 'cluster-ips']),
    ]);
    return { iptables, nftables };
  }

  readonly askApi = getFromApi;
}

/**
 * iptables of both kinds: kube-proxy brings its own, which is not always of the kind that the node's `iptables-save` is.
 * The old kind makes a table that is not there when it is asked for it.
 */
async function natRules(): Promise<string | undefined> {
  const hasOldKind = readText(OLD_KIND_TABLES)?.split('\n').includes('nat') === true;
  const kinds = await Promise.all([
    printed('iptables-nft-save', ['-t', 'nat']),
    hasOldKind ? printed('iptables-legacy-save', ['-t', 'nat']) : undefined,
  ]);
  const seen = kinds.filter((text) => text !== undefined);
  // Where there is one kind alone it has the plain name.
  return seen.length > 0 || !hasOldKind ? seen.join('') : await printed('iptables-save', ['-t', 'nat']);
}

async function printed(program: string, args: readonly string[]): Promise<string | undefined> {
  const outcome = await askProgram(program, args);
  return outcome.kind === 'done' ? outcome.stdout : undefined;
}
