import { keyText } from '../../lease/record.ts';
import type { CheckCall } from '../context.ts';
import { decodeConf } from '../spec/conf.ts';
import { parseEnv } from '../spec/env.ts';
import { CniError } from '../spec/errors.ts';
import {
  type CachedAttachment,
  type CachedPlugin,
  dhcpPluginsOf,
  namespaceOf,
  parseCached,
} from './cached.ts';
import type { Readoption } from './readopt.ts';

/** One file of a runtime's cache. */
export type CacheFile =
  | { readonly name: string; readonly text: string }
  | { readonly name: string; readonly problem: string };

/** What became of one of them. `attachment` is its key where the file could be read, else the file's name. */
export type Adoption = {
  readonly attachment: string;
  readonly outcome: 'known' | 'taken-up' | 'refused' | 'no-dhcp';
  /** Where it was taken up. */
  readonly address: string | null;
  readonly why: string | null;
};

/** Takes over one attachment; `type` is that of the plugin that made its interface. */
export type AdoptOne = (call: CheckCall, type: string) => Promise<Readoption>;

/**
 * Takes over the leases of the containers that a runtime remembers: those whose addresses come by DHCP, whose namespace
 * is there, and whose interface still has the address. Whatever is wrong with one of them does not stop the others.
 */
export async function adoptAll(files: readonly CacheFile[], adopt: AdoptOne): Promise<readonly Adoption[]> {
  const adoptions: Adoption[] = [];
  for (const file of files) adoptions.push(...(await adoptFile(file, adopt)));
  return adoptions;
}

async function adoptFile(file: CacheFile, adopt: AdoptOne): Promise<readonly Adoption[]> {
  if ('problem' in file) return [refused(file.name, file.problem)];
  const cached = parseCached(file.text);
  if (!cached.ok) return [refused(file.name, cached.error)];
  const { containerId, network, ifname } = cached.value;
  const attachment = keyText({ containerId, network, ifname });
  const plugins = dhcpPluginsOf(cached.value);
  if (plugins.length === 0) return [{ attachment, outcome: 'no-dhcp', address: null, why: null }];
  const adoptions: Adoption[] = [];
  for (const plugin of plugins) {
    adoptions.push(await adoptPlugin(attachment, cached.value, plugin, adopt));
  }
  return adoptions;
}

async function adoptPlugin(
  attachment: string,
  cached: CachedAttachment,
  plugin: CachedPlugin,
  adopt: AdoptOne,
): Promise<Adoption> {
  try {
    return told(attachment, await adopt(checkCallOf(cached, plugin), plugin.type));
  } catch (error) {
    if (error instanceof CniError) return refused(attachment, error.message);
    throw error;
  }
}

/** The CHECK that the runtime would send for this attachment. */
function checkCallOf(cached: CachedAttachment, { stdin }: CachedPlugin): CheckCall {
  const environment = {
    CNI_COMMAND: 'CHECK',
    CNI_CONTAINERID: cached.containerId,
    CNI_IFNAME: cached.ifname,
    CNI_NETNS: namespaceOf(cached) ?? '',
    CNI_ARGS: cached.args,
  };
  const env = parseEnv(environment);
  if (!env.ok) throw env.error;
  const conf = decodeConf(stdin);
  if (!conf.ok) throw conf.error;
  if (env.value.command !== 'CHECK') throw new CniError('internal', 'a CHECK was made');
  return { env: env.value, conf: conf.value, hangUp: new AbortController().signal, environment, stdin };
}

function told(attachment: string, readoption: Readoption): Adoption {
  return {
    attachment,
    outcome: readoption.kind,
    address: readoption.kind === 'taken-up' ? readoption.address : null,
    why: readoption.kind === 'refused' ? readoption.why : null,
  };
}

function refused(attachment: string, why: string): Adoption {
  return { attachment, outcome: 'refused', address: null, why };
}
