import { visible } from '../base/outside-text.ts';
import { checkPossible, type BreakSite, type LabBreak } from './breaks/break.ts';
import { breakNamed, BREAKS } from './breaks/breaks.ts';
import { forgetBreak, readBreaks, writeBreak, type BreakState } from './lab-break-state.ts';
import { askDoctor, printDoctor } from './lab-doctor.ts';
import { openLab, type LabHandle } from './lab-handle.ts';
import { measure } from './lab-matrix.ts';
import type { Output } from './lab-output.ts';
import type { LabParts } from './lab-parts.ts';
import { printReached } from './lab-show.ts';
import { readPods, type LabState } from './lab-state.ts';
import { LabUsageError } from './lab-usage-error.ts';
import { podRows } from './pod-row.ts';
import { Resources } from './resources.ts';

/** Pings until one is answered: in a broken lab many are not, and a person waits for each. */
const TRIES = 2;

export function showBreaks({ style, write }: Output): void {
  write('Faults for a lab that is up (leasehold lab --keep): leasehold lab break NAME\n');
  for (const { name, does, seen } of BREAKS)
    write(`\n${style.bold(name)}\n  ${does}\n  What a person sees: ${seen}\n`);
}

/** What a fault works with; what it saves and makes is in the lab's folder before anything depends on it. */
function siteOf(lab: LabHandle, state: LabState, was: BreakState, say: (text: string) => void): BreakSite {
  let now = was;
  const keep = (change: Partial<BreakState>): void => {
    now = { ...now, ...change };
    writeBreak(lab.paths, now);
  };
  return {
    lab,
    state,
    resources: new Resources(was.resources, (made) => keep({ resources: [...made] })),
    say,
    save: (key, text) => keep({ saved: { ...now.saved, [key]: text } }),
    saved: () => now.saved,
  };
}

async function undo(one: LabBreak, site: BreakSite): Promise<void> {
  await one.heal(site);
  await site.resources[Symbol.asyncDispose]();
  forgetBreak(site.lab.paths, one.name);
}

/** What went wrong while it was made is what is told; a failing clean-up only adds to it. */
async function undoAfter(error: unknown, one: LabBreak, site: BreakSite): Promise<void> {
  try {
    await undo(one, site);
  } catch (second) {
    if (error instanceof Error) error.cause = second;
  }
}

async function makeBreak(
  lab: LabHandle,
  state: LabState,
  one: LabBreak,
  say: BreakSite['say'],
): Promise<void> {
  const record = { name: one.name, saved: {}, resources: [] };
  writeBreak(lab.paths, record);
  const site = siteOf(lab, state, record, say);
  try {
    await one.make(site);
  } catch (error) {
    await undoAfter(error, one, site);
    throw error;
  }
  if (one.passing ?? false) await undo(one, site);
  else site.resources.keep();
}

/** Makes a fault, says what it did, and shows who reaches whom now and what the doctor says. */
export async function labBreak(
  state: LabState,
  name: string,
  parts: LabParts,
  output: Output,
): Promise<void> {
  const one = breakNamed(name);
  const lab = await openLab(state);
  const broken = readBreaks(lab.paths).map((there) => breakNamed(there.name));
  checkPossible(one, lab, broken);
  const { style, write } = output;
  write(`${style.bold(one.name)}: ${one.does}\n${style.bold('What a person sees:')} ${one.seen}\n\n`);
  await makeBreak(lab, state, one, (text) => write(`  ${visible(text)}\n`));
  const rows = podRows(lab, readPods(lab.paths));
  const [reached, report] = await Promise.all([measure(lab, rows, { tries: TRIES }), askDoctor(lab, parts)]);
  write('\n');
  printReached(output, lab, rows, reached, false);
  write('\n');
  printDoctor(output, report);
  if (!(one.passing ?? false)) write(`\n"leasehold lab heal" puts it right again\n`);
}

/** Throws LabUsageError where a fault has paused the daemon: a pod could neither come nor go. */
export function checkDaemonRuns(lab: LabHandle): void {
  const pausing = readBreaks(lab.paths).find(({ name }) => breakNamed(name).pausesDaemon ?? false);
  if (pausing === undefined) return;
  throw new LabUsageError(
    `${pausing.name} has paused the daemon; "leasehold lab heal ${pausing.name}" lets it go on`,
  );
}

function chosen(lab: LabHandle, names: readonly string[]): readonly BreakState[] {
  const there = readBreaks(lab.paths);
  for (const name of names) {
    breakNamed(name);
    if (!there.some((one) => one.name === name)) throw new LabUsageError(`${name} is not broken in this lab`);
  }
  return names.length === 0 ? there : there.filter(({ name }) => names.includes(name));
}

/** Puts faults right, all of them without names; true when everybody reaches everybody again. */
export async function labHeal(state: LabState, names: readonly string[], output: Output): Promise<boolean> {
  const lab = await openLab(state);
  const broken = chosen(lab, names);
  if (broken.length === 0) output.write('nothing is broken in this lab\n');
  await healAll(lab, state, broken, (text) => output.write(`${text}\n`));
  const rows = podRows(lab, readPods(lab.paths));
  output.write('\n');
  return printReached(output, lab, rows, await measure(lab, rows), false);
}

/** The last one first. */
async function healAll(
  lab: LabHandle,
  state: LabState,
  broken: readonly BreakState[],
  say: BreakSite['say'],
): Promise<void> {
  for (const record of broken.toReversed()) {
    await undo(breakNamed(record.name), siteOf(lab, state, record, say));
    say(`${record.name} is healed`);
  }
}

/** Before a lab goes: a paused daemon would not answer, and what faults brought has to go too. */
export async function healBeforeDown(state: LabState, output: Output): Promise<void> {
  const lab = await openLab(state);
  for (const record of readBreaks(lab.paths)) {
    const site = siteOf(lab, state, record, () => undefined);
    try {
      await undo(breakNamed(record.name), site);
    } catch (error) {
      output.write(
        `${record.name} could not be healed: ${error instanceof Error ? error.message : String(error)}\n`,
      );
      await site.resources[Symbol.asyncDispose]();
    }
  }
}
