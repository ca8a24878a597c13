import * as v from 'valibot';
import { parseJson } from '../base/json.ts';
import { visible } from '../base/outside-text.ts';
import { hostNamespace, type LabHandle } from './lab-handle.ts';
import type { Output } from './lab-output.ts';
import type { LabParts } from './lab-parts.ts';
import { systemEnv, type Outcome } from './process.ts';

/** It asks the LAN and waits for those who do not answer. */
const TIMEOUT_MS = 60_000;
/** Lines of evidence and of advice that are shown; the command itself has them all. */
const MOST_LINES = 4;
const MAX_SAID = 2000;

const findingSchema = v.object({
  id: v.string(),
  severity: v.picklist(['ok', 'note', 'warning', 'error']),
  title: v.string(),
  evidence: v.array(v.string()),
  remedy: v.array(v.string()),
});
const reportSchema = v.object({ findings: v.array(findingSchema) });

type Finding = v.InferOutput<typeof findingSchema>;

function isOfWeight({ severity }: Finding): boolean {
  return severity === 'error' || severity === 'warning';
}

function showFinding({ style, write }: Output, { id, severity, title, evidence, remedy }: Finding): void {
  const paint = severity === 'error' ? style.bad : style.warn;
  write(`  ${paint(severity)}  ${visible(title)} ${style.dim(`[${id}]`)}\n`);
  for (const line of evidence.slice(0, MOST_LINES)) write(`    seen  ${visible(line)}\n`);
  for (const line of remedy.slice(0, MOST_LINES)) write(`    do    ${visible(line)}\n`);
}

/** Runs `leasehold doctor` on the lab's node, with the lab's folders in place of the machine's. */
export async function askDoctor(lab: LabHandle, parts: LabParts): Promise<Outcome> {
  return await hostNamespace(lab.prefix, 'node').runToEnd(parts.doctor(lab.paths), {
    timeoutMs: TIMEOUT_MS,
    env: systemEnv(),
  });
}

/** Prints what the doctor found, its errors and warnings. */
export function printDoctor({ style, write }: Output, outcome: Outcome): void {
  const json = parseJson(outcome.stdout);
  const report = v.safeParse(reportSchema, json.ok ? json.value : undefined);
  if (!report.success) {
    const why = outcome.stopped ?? `${outcome.stdout}${outcome.stderr}`.trim().slice(0, MAX_SAID);
    write(style.bad(`"leasehold doctor" failed: ${why}\n`));
    return;
  }
  write(`${style.bold('What "leasehold doctor" says on the node')}\n`);
  const grave = report.output.findings.filter(isOfWeight);
  if (grave.length === 0) write(`  ${style.good('nothing is wrong')} with the node and its LAN\n`);
  for (const finding of grave) showFinding({ style, write }, finding);
}
