import { parseArgs } from 'node:util';
import { networkOf, parseCidr, type Cidr } from '../base/cidr.ts';
import { isIpv4 } from '../base/ip.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import { visible } from '../base/outside-text.ts';
import type { ConflistReport } from '../doctor/conflist/check.ts';
import type { ConflistWish } from '../doctor/conflist/generate.ts';
import { exitStatusOf, mergeSame, type Finding } from '../doctor/finding.ts';
import type { LocalView } from '../doctor/local/check.ts';
import { placesHere } from '../doctor/local/places.ts';
import { type Command, UsageError } from './command.ts';
import { withParts, type DoctorParts, type OpenDoctor } from './doctor-parts.ts';
import { findingLines, tally, wantsColour, worstFirst } from './finding-text.ts';
import { printJson } from './json-out.ts';
import { isOpenInput, readOpenInput } from './open-input.ts';
import { parseOptions } from './options.ts';

/** The daemon is not asked: what a configuration is worth does not depend on it. */
const NO_DAEMON = { socket: '', state: 'absent', spooled: 0 } as const;

/**
 * `leasehold conflist`: the network configuration for this node on stdout, and why on stderr, because libcni takes no
 * comments in it. `--check`: what a given one does here.
 */
export function conflistCommand(open: OpenDoctor): Command {
  return {
    name: 'conflist',
    usage:
      '[--master NAME] [--service-cidr CIDR]... | --check FILE [--json] [--service-cidr CIDR]... [--cni-bin DIR]...',
    summary: 'print the network configuration for this node (its reasons on stderr), or explain a given one',
    async run(argv) {
      const { values } = parseOptions(() =>
        parseArgs({
          args: [...argv],
          options: {
            master: { type: 'string' },
            'service-cidr': { type: 'string', multiple: true, default: [] },
            check: { type: 'string' },
            json: { type: 'boolean', default: false },
            'cni-bin': { type: 'string', multiple: true, default: [] },
          },
        }),
      );
      const { master, check, json } = values;
      if (check !== undefined && master !== undefined) {
        throw new UsageError('--master is for a new configuration; a given one names its own');
      }
      if (check === undefined && json)
        throw new UsageError('--json goes with --check; without it all is JSON');
      const services = values['service-cidr'].map(readNetwork);
      return await withParts('conflist', open, async (parts) => {
        const view = await viewOf(parts, values['cni-bin'], services);
        if (check !== undefined) return await printCheck(view, check, json);
        return await printNew(view, { master, services });
      });
    },
  };
}

async function viewOf(
  { facts, places }: DoctorParts,
  bins: readonly string[],
  services: readonly Cidr<Ipv4>[],
): Promise<LocalView> {
  const here = placesHere(facts, places, { cniConf: undefined, cniBins: bins });
  const { viewNode } = await import('../doctor/local/local-findings.ts');
  const view = await viewNode(facts, here, NO_DAEMON, undefined);
  if (services.length === 0) return view;
  return { ...view, services: services.map((network) => ({ network, source: '--service-cidr' })) };
}

function readNetwork(text: string): Cidr<Ipv4> {
  const parsed = parseCidr(text);
  if (parsed === undefined || !isIpv4(parsed.address) || parsed.prefix === 0) {
    throw new UsageError(`--service-cidr "${text}": must be an IPv4 network such as 10.43.0.0/16`);
  }
  return networkOf({ address: parsed.address, prefix: parsed.prefix });
}

async function printNew(view: LocalView, wish: ConflistWish): Promise<number> {
  // Heavy, like all of doctor/: other commands start without it.
  const { generateConflist } = await import('../doctor/conflist/generate.ts');
  const { conflist, remarks, findings } = generateConflist(view, wish);
  const colour = wantsColour(process.stderr);
  for (const remark of remarks) process.stderr.write(`# ${visible(remark)}\n`);
  for (const finding of worstFirst(findings)) {
    process.stderr.write(`${findingLines(finding, colour, '# ').join('\n')}\n`);
  }
  printJson(conflist);
  return exitStatusOf(findings);
}

async function printCheck(view: LocalView, path: string, json: boolean): Promise<number> {
  const text = isOpenInput(path) ? await readOpenInput(path) : view.facts.readText(path);
  if (text === undefined) {
    throw new Error(`${path}: cannot be read: it must be a file of at most 1 MiB, or - for standard input`);
  }
  const { checkConflist } = await import('../doctor/conflist/check.ts');
  const { conflistNode } = await import('../doctor/conflist/node.ts');
  const report = checkConflist(text, conflistNode(view));
  const findings = [...report.findings, ...report.plugins.flatMap((plugin) => plugin.findings)];
  if (json) {
    const plugins = report.plugins.map((plugin) => ({ ...plugin, findings: mergeSame(plugin.findings) }));
    printJson({ status: exitStatusOf(findings), ...report, plugins });
  } else printReport(path, report, findings);
  return exitStatusOf(findings);
}

function printReport(path: string, report: ConflistReport, all: readonly Finding[]): void {
  const colour = wantsColour(process.stdout);
  const print = (findings: readonly Finding[]): void => {
    for (const finding of worstFirst(findings)) console.log(findingLines(finding, colour, '  ').join('\n'));
  };
  const version = report.cniVersion === '' ? '' : `, CNI ${report.cniVersion}`;
  console.log(visible(`${path}: network "${report.name}"${version}`));
  for (const plugin of report.plugins) {
    console.log(`\n${visible(`${plugin.index + 1}. ${plugin.type} ${plugin.does}`)}`);
    print(plugin.findings);
  }
  if (report.findings.length > 0) {
    console.log('\nThe list as a whole');
    print(report.findings);
  }
  const found = tally(all);
  console.log(found === '' ? '\nNothing is wrong with it on this node.' : `\nFound: ${found}.`);
}
