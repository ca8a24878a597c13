import type { JsonObject } from '../../base/json.ts';
import { readDhcpKeys } from '../../cni/dhcp/keys.ts';
import { readLeaseholdConf, toMacvlanConf } from '../../cni/leasehold/conf.ts';
import { readDhcpConf } from '../../cni/plugins/dhcp-conf.ts';
import { readMacvlanConf } from '../../cni/plugins/macvlan-conf.ts';
import { parseOverride } from '../../cni/route-override/config.ts';
import { NO_ARGS } from '../../cni/spec/args.ts';
import { decodeConf, type NetConf } from '../../cni/spec/conf.ts';
import { CniError } from '../../cni/spec/errors.ts';
import type { Finding } from '../finding.ts';
import { ipamTypeOf, type ListedPlugin } from './story.ts';

/** What stands in for a pod and a daemon: a configuration is right or wrong whatever they are. */
const SOME_POD = { args: NO_ARGS, containerId: 'container', ifname: 'eth0' };

/** Reads the configuration as the plugin itself would: what it refuses is a finding in its own words. */
export function valueFindings(plugin: ListedPlugin): readonly Finding[] {
  const problem = problemOf(plugin);
  if (problem === undefined) return [];
  return [
    {
      id: 'value-invalid',
      severity: 'error',
      title: `${plugin.type} refuses its configuration: ${problem.message}`,
      evidence: [`plugins[${plugin.index}]`],
      remedy: [problem.details ?? 'correct the key that is named'],
    },
  ];
}

function problemOf(plugin: ListedPlugin): CniError | undefined {
  const conf = asRuntime(plugin);
  if (conf instanceof CniError) return conf;
  try {
    read(plugin, conf);
    return undefined;
  } catch (error) {
    if (error instanceof CniError) return error;
    throw error;
  }
}

/** As libcni hands it to the plugin: with the list's name and version. */
function asRuntime({ raw, list }: ListedPlugin): NetConf | CniError {
  const whole: JsonObject = { ...raw, name: list.name, cniVersion: list.cniVersion };
  const decoded = decodeConf(new TextEncoder().encode(JSON.stringify(whole)));
  return decoded.ok ? decoded.value : decoded.error;
}

function read(plugin: ListedPlugin, conf: NetConf): void {
  switch (plugin.type) {
    case 'leasehold': {
      const leasehold = readLeaseholdConf(conf);
      if (!leasehold.chained) readDhcp(toMacvlanConf(conf, leasehold, undefined));
      break;
    }
    case 'macvlan':
      readMacvlanConf(conf, NO_ARGS);
      break;
    case 'route-override': {
      const parsed = parseOverride(conf);
      if (!parsed.ok) throw parsed.error;
      break;
    }
    default:
      break;
  }
  if (ipamTypeOf(plugin) === 'dhcp') readDhcp(conf);
}

/** With what its keys mean together, too. */
function readDhcp(conf: NetConf): void {
  readDhcpConf(conf, SOME_POD, {
    defaults: readDhcpKeys({}, 'ipam'),
    mac: 'random',
    identity: { cluster: '', key: '', node: 'node' },
  });
}
