import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { visible } from '../base/outside-text.ts';
import { type Cidr, formatCidr, networkOf, parseCidr } from '../base/cidr.ts';
import { isIpv4 } from '../base/ip.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { JsonObject } from '../base/json.ts';
import { describePlan, install } from '../install/install.ts';
import { lstatOf } from '../install/fingerprint.ts';
import { AGENT_RECORD, readManifest } from '../install/manifest.ts';
import { type InstallOptions, planInstall, STATE_FOLDER } from '../install/plan.ts';
import type { ServiceManager } from '../install/service.ts';
import { hostFolder } from '../install/host-path.ts';
import { type Command, UsageError } from './command.ts';
import { parseOptions } from './options.ts';

export type InstallParts = {
  /** The program that runs now: an unpacked tree, an installed one, or a checkout. */
  readonly tree: string;
  readonly version: () => string;
  /** This node's network configuration, as `leasehold conflist` prints it, and its reasons, a line each. */
  readonly conflist: (options: {
    readonly services: readonly Cidr<Ipv4>[];
    readonly forImage: boolean;
  }) => Promise<{
    readonly conflist: JsonObject;
    readonly remarks: readonly string[];
    /** On a node of a cluster whose service networks nobody states and nothing shows: what shows the cluster. */
    readonly unknownServices: string | undefined;
  }>;
  /** Whether a file for the daemon's --config states service networks. Rejects with an Error for one that is wrong. */
  readonly statesServices: (configPath: string) => Promise<boolean>;
  readonly service: ServiceManager;
};

const CNI_BIN = '/opt/cni/bin';
const CNI_CONF = '/etc/cni/net.d';
const PREFIX = '/usr/local/lib/leasehold';
/** ProtectHome= and PrivateTmp= hide these from the daemon. */
const HIDDEN_FROM_DAEMON = /^\/(home|root|run\/user|tmp|var\/tmp)(\/|$)/;
/** A cluster has one or two service networks; more are a mistake. */
const MOST_CIDRS = 16;

/** `leasehold install`: the program, its unit, the plugins and the network configuration on a host. */
export function installCommand(parts: InstallParts): Command {
  return {
    name: 'install',
    usage:
      '[--cni-bin DIR] [--cni-conf DIR] [--prefix DIR] [--drop-in] [--replace] [--no-conflist] [--no-service] [--service-cidr CIDR]... [--config FILE] [--root DIR] [--dry-run]',
    summary: 'set this host up: program, systemd unit, plugins, network configuration',
    async run(argv) {
      const { dryRun, remarks, unknownServices, ...options } = await readOptions(argv, parts);
      const { root } = options;
      const stateDir = hostFolder(root, STATE_FOLDER, 'the state folder');
      const manifest = readManifest(stateDir.base, stateDir.path);
      if (manifest?.phase === 'removing') {
        throw new Error('an uninstall was interrupted here: run "leasehold uninstall" again first');
      }
      if (lstatOf(join(stateDir.path, AGENT_RECORD)) !== undefined) {
        throw new Error(
          `the agent of a DaemonSet has this node (${join(stateDir.path, AGENT_RECORD)}): delete the DaemonSet, or keep its pods off this node and run "leasehold agent --remove", first`,
        );
      }
      const plan = planInstall(options, { tree: parts.tree, version: parts.version() }, manifest);
      const refusals = [
        ...plan.refusals,
        ...(unknownServices === undefined ? [] : [unknownText(unknownServices)]),
      ];
      if (refusals.length > 0) {
        for (const refusal of refusals) console.error(`leasehold: ${visible(refusal)}`);
        console.error('leasehold: nothing was changed');
        return 1;
      }
      for (const remark of remarks) console.log(visible(remark));
      if (dryRun) {
        for (const line of describePlan({ plan })) console.log(visible(line));
        return 0;
      }
      const starts = root === '/' && options.unit;
      await install({
        plan,
        manifest,
        service: starts ? parts.service : undefined,
        say: (line) => console.log(visible(line)),
      });
      if (!options.unit || !starts) console.log(byHand(options, plan.tree.path));
      return 0;
    },
  };
}

type Read = InstallOptions & {
  readonly dryRun: boolean;
  readonly remarks: readonly string[];
  readonly unknownServices: string | undefined;
};

function unknownText(kubelet: string): string {
  return `this is a node of a cluster (${kubelet}), and its service network was not found: pods would reach no service, and what they send there would go out to the LAN. State it: --service-cidr CIDR (kubectl get servicecidr kubernetes, or --service-cluster-ip-range of kube-apiserver, says it)`;
}

async function readOptions(argv: readonly string[], parts: InstallParts): Promise<Read> {
  const { values } = parseOptions(() =>
    parseArgs({
      args: [...argv],
      options: {
        'cni-bin': { type: 'string', default: CNI_BIN },
        'cni-conf': { type: 'string', default: CNI_CONF },
        prefix: { type: 'string', default: PREFIX },
        'drop-in': { type: 'boolean', default: false },
        replace: { type: 'boolean', default: false },
        'no-conflist': { type: 'boolean', default: false },
        'no-service': { type: 'boolean', default: false },
        'service-cidr': { type: 'string', multiple: true, default: [] },
        config: { type: 'string' },
        root: { type: 'string', default: '/' },
        'dry-run': { type: 'boolean', default: false },
      },
    }),
  );
  const { config, root } = values;
  if (!root.startsWith('/')) throw new UsageError(`--root ${root}: must be an absolute path`);
  if (config !== undefined && (!config.startsWith('/') || HIDDEN_FROM_DAEMON.test(config))) {
    throw new UsageError(
      `--config ${config}: must be an absolute path that the daemon can see (/etc/leasehold/daemon.json): homes and /tmp are hidden from it`,
    );
  }
  if (HIDDEN_FROM_DAEMON.test(values.prefix)) {
    throw new UsageError(`--prefix ${values.prefix}: homes and /tmp are hidden from the daemon`);
  }
  const services = serviceNetworks(values['service-cidr']);
  const found = await parts.conflist({ services, forImage: root !== '/' });
  const isStated =
    found.unknownServices === undefined || (config !== undefined && (await parts.statesServices(config)));
  const network = values['no-conflist'] ? undefined : found;
  return {
    root,
    cniBin: values['cni-bin'],
    cniConf: values['cni-conf'],
    prefix: values.prefix,
    dropIn: values['drop-in'],
    replace: values.replace,
    conflist: network === undefined ? undefined : JSON.stringify(network.conflist, undefined, 2),
    remarks: network?.remarks ?? [],
    unknownServices: isStated ? undefined : found.unknownServices,
    // An image is made for a host with systemd; on a host it is seen.
    unit: !values['no-service'] && (root !== '/' || parts.service.isRunning()),
    configPath: config,
    serviceCidrs: services.map(formatCidr),
    dryRun: values['dry-run'],
  };
}

function serviceNetworks(texts: readonly string[]): readonly Cidr<Ipv4>[] {
  if (texts.length > MOST_CIDRS) throw new UsageError(`--service-cidr: more than ${MOST_CIDRS}`);
  return texts.map((text) => {
    const network = parseCidr(text);
    if (network !== undefined && isIpv4(network.address) && network.prefix > 0) {
      return networkOf({ address: network.address, prefix: network.prefix });
    }
    throw new UsageError(`--service-cidr ${text}: is no IPv4 network, such as 10.43.0.0/16`);
  });
}

function byHand(options: InstallOptions, tree: string): string {
  const { configPath, serviceCidrs, root, unit } = options;
  if (root !== '/' && unit) return 'the unit is enabled: the daemon starts when this image is booted';
  const args = [
    ...(configPath === undefined ? [] : ['--config', configPath]),
    ...serviceCidrs.flatMap((network) => ['--service-cidr', network]),
  ];
  return `no service was made: have this started at boot, as root: ${[`${tree}/bin/leasehold`, 'daemon', ...args].join(' ')}`;
}
