import { parseArgs } from 'node:util';
import { exitStatusOf, mergeSame, type Finding } from '../doctor/finding.ts';
import { placesHere } from '../doctor/local/places.ts';
import { formatCidr } from '../base/cidr.ts';
import { visible } from '../base/outside-text.ts';
import type { Command } from './command.ts';
import { viewDaemon } from './daemon-view.ts';
import { withParts, type DoctorParts, type OpenDoctor } from './doctor-parts.ts';
import { findingLines, tally, wantsColour, worstFirst } from './finding-text.ts';
import { printJson } from './json-out.ts';
import { parseOptions, socketOf } from './options.ts';

const LAN_SUBJECT = 'what the LAN answers: carrier, DHCP servers, MAC filters, VLANs';

type Report = {
  readonly uplink: string | undefined;
  readonly findings: readonly Finding[];
  readonly subjects: readonly string[];
  /** The cluster's service networks, and who says so. */
  readonly services: readonly { readonly network: string; readonly source: string }[];
};

/** `leasehold doctor`: what is wrong with this node and its LAN. Changes nothing, and needs no daemon and no pod. */
export function doctorCommand(open: OpenDoctor): Command {
  return {
    name: 'doctor',
    usage: '[--uplink NAME] [--quick] [--json] [--cni-conf DIR] [--cni-bin DIR]... [--socket PATH]',
    summary: 'find out what is wrong with this node and its LAN; changes nothing',
    async run(argv) {
      const { values } = parseOptions(() =>
        parseArgs({
          args: [...argv],
          options: {
            uplink: { type: 'string' },
            quick: { type: 'boolean', default: false },
            json: { type: 'boolean', default: false },
            'cni-conf': { type: 'string' },
            'cni-bin': { type: 'string', multiple: true, default: [] },
            socket: { type: 'string' },
          },
        }),
      );
      const socket = socketOf(values.socket);
      return await withParts('doctor', open, async (parts) => {
        const named = { cniConf: values['cni-conf'], cniBins: values['cni-bin'] };
        const places = placesHere(parts.facts, parts.places, named);
        const report = await examine({ ...parts, places }, socket, values.uplink, values.quick);
        if (values.json) printReport(report);
        else printText(report);
        return exitStatusOf(report.findings);
      });
    },
  };
}

async function examine(
  { facts, places, lan }: DoctorParts,
  socket: string,
  uplink: string | undefined,
  quick: boolean,
): Promise<Report> {
  // Heavy, and other commands start without it.
  const { localFindings, viewNode } = await import('../doctor/local/local-findings.ts');
  const daemon = await viewDaemon(socket, facts);
  const view = await viewNode(facts, places, daemon, uplink);
  // The interface's own name, where it was named by an alternative one.
  const name = view.uplink?.name ?? uplink;
  const [local, heard] = await Promise.all([
    localFindings(view),
    lan(name, quick, daemon.lans?.get(name ?? '')),
  ]);
  return {
    uplink: name,
    findings: worstFirst(mergeSame([...heard, ...local.findings])),
    subjects: [LAN_SUBJECT, ...local.subjects],
    services: view.services.map(({ network, source }) => ({ network: formatCidr(network), source })),
  };
}

function printReport({ uplink, findings, subjects, services }: Report): void {
  const status = exitStatusOf(findings);
  printJson({ uplink: uplink ?? null, status, services, findings, subjects });
}

function printText({ uplink, findings, subjects, services }: Report): void {
  const colour = wantsColour(process.stdout);
  for (const finding of findings) {
    console.log(findingLines(finding, colour).join('\n'));
    console.log();
  }
  const on = uplink === undefined ? '' : ` Uplink: ${visible(uplink)}.`;
  const found = tally(findings);
  console.log(found === '' ? `Nothing is wrong.${on}` : `Found: ${found}.${on}`);
  for (const { network, source } of services) {
    console.log(`Service network ${network}: ${visible(source)}.`);
  }
  console.log(`Looked at: ${subjects.join('; ')}.`);
}
