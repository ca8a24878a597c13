import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { explainOrder, networkFiles } from './conflists.ts';
import { lstatOf } from './fingerprint.ts';
import { checkedPath, inside, outside } from './host-path.ts';
import { type Entry, type Manifest, writeManifest } from './manifest.ts';
import { keep, keptNameOf, put, putIfAbsent, save } from './place.ts';
import type { Plan, Stage, Step } from './plan.ts';
import { startService, type ServiceManager } from './service.ts';
import { copyTree, isTree } from './tree.ts';
import { CACHE_FOLDER, RUNTIME_FOLDER } from './unit.ts';

export type Installing = {
  readonly plan: Plan;
  readonly manifest: Manifest | undefined;
  /** Undefined where nothing is started: an image, a host without systemd, --no-service. */
  readonly service: ServiceManager | undefined;
  readonly say: (line: string) => void;
  /** Called before each change, with its name: a test stops it there. */
  readonly before?: (what: string) => void;
};

const FOLDER_MODE = 0o755;
const STATE_MODE = 0o700;

/** What would be done, a line each. */
export function describePlan({ plan }: Pick<Installing, 'plan'>): readonly string[] {
  const { tree, folders, steps, base } = plan;
  return [
    ...folders.map((folder) => `make the folder ${folder}`),
    isTree(tree.path, tree.digest) ? `the program is in ${tree.path}` : `copy the program to ${tree.path}`,
    ...steps.map((step) => describeStep(step, base)),
  ];
}

function describeStep({ path, action, entry, content }: Step, base: string): string {
  const what = content.kind === 'link' ? `the link ${path} to ${inside(base, content.target)}` : path;
  switch (action) {
    case 'there':
      return entry === undefined
        ? `${what} is there, not by install: uninstall will leave it`
        : `${what} is there`;
    case 'theirs':
      return `${what} is somebody else's: it stays, and is used`;
    case 'put-if-absent':
    case 'put':
      return entry === undefined ? `write ${what}` : `write ${what} anew`;
    case 'save':
      return `put the edited ${path} aside and write it anew`;
    case 'keep':
      return `write ${what} and keep what is there as ${keptNameOf(path)}`;
  }
}

/**
 * Does what the plan says. The manifest is on the disk before the first change and names all of them, so that a crash
 * at any point leaves what `uninstall` undoes and another `install` continues.
 */
export async function install({
  plan,
  manifest,
  service,
  say,
  before = () => undefined,
}: Installing): Promise<void> {
  const { base, stateDir, tree, steps } = plan;
  const old = manifest?.entries ?? [];
  const entries = entriesOf(plan, old, service !== undefined);
  const treeIsThere = isTree(tree.path, tree.digest);
  before('manifest');
  writeManifest(base, stateDir, { version: 1, phase: 'installing', entries });
  for (const { kind, path } of entries) {
    if (kind === 'folder') makeFolder(checkedPath(base, path), stateDir);
  }
  if (!treeIsThere) {
    before(tree.path);
    copyTree(tree.files, tree.path);
    say(`copied the program to ${tree.path}`);
  }
  const changed = (stage: Stage): readonly Step[] =>
    steps.filter((step) => step.stage === stage && step.action !== 'there' && step.action !== 'theirs');
  const doAll = (list: readonly Step[]): void => {
    for (const step of list) {
      before(step.path);
      doStep(step, say);
    }
  };
  doAll(changed('program'));
  const unit = changed('unit');
  doAll(unit);
  if (service !== undefined) {
    before('service');
    // An install that was interrupted may have written the unit and not started it.
    await startService(service, unit.length > 0 || !treeIsThere || manifest?.phase === 'installing');
    say('the daemon runs and is ready');
  }
  doAll(changed('plugin'));
  doAll(changed('network'));
  const wantsNetwork = steps.some(({ stage }) => stage === 'network');
  if (wantsNetwork)
    for (const line of explainOrder(networkFiles(base, plan.cniConf), plan.cniConf)) say(line);
  before('end');
  writeManifest(base, stateDir, {
    version: 1,
    phase: 'installed',
    entries: service === undefined ? entries : withoutOldTrees(plan, entries, say),
  });
}

function doStep({ path, action, content }: Step, say: (line: string) => void): void {
  if (action === 'save') say(`yours is kept as ${save(path)}`);
  if (action === 'keep') {
    keep(path, keptNameOf(path));
    say(`what was at ${path} is kept as ${keptNameOf(path)}`);
  }
  if (action === 'put-if-absent' && content.kind === 'file') {
    say(putIfAbsent(path, content) ? `wrote ${path}` : `${path} has come from somebody else: it stays`);
    return;
  }
  put(path, content);
  say(`wrote ${path}`);
}

function makeFolder(path: string, stateDir: string): void {
  if (lstatOf(path) !== undefined) return;
  mkdirSync(path);
  // The umask does not count.
  chmodSync(path, path === stateDir ? STATE_MODE : FOLDER_MODE);
}

/** All that is or will be ours: what an earlier install wrote, and what this one adds. */
function entriesOf(plan: Plan, old: readonly Entry[], starts: boolean): readonly Entry[] {
  const { base, tree, steps } = plan;
  const known = new Set(old.map(({ path }) => path));
  const fresh = (entry: Entry): readonly Entry[] => (known.has(entry.path) ? [] : [entry]);
  const items = steps.flatMap((step): readonly Entry[] => {
    const { path, entry, print, action } = step;
    // It has our content and is not of our making: it stays what it is.
    if (entry === undefined && (action === 'there' || action === 'theirs')) return [];
    const ours = [...new Set([...(entry?.ours ?? []).filter((one) => one !== print), print])];
    const kept = action === 'keep' ? keptNameOf(path) : (entry?.kept ?? null);
    return [{ kind: 'item', path, ours, kept }];
  });
  const changed = new Set(items.map(({ path }) => path));
  const folders = plan.folders.flatMap((path) => fresh({ kind: 'folder', path }));
  // systemd makes them.
  const made = starts
    ? [CACHE_FOLDER, RUNTIME_FOLDER]
        .map((path) => outside(base, path))
        .filter((path) => lstatOf(path) === undefined)
    : [];
  return [
    ...old.filter(({ path }) => !changed.has(path)),
    ...folders,
    ...made.flatMap((path) => fresh({ kind: 'tree', path })),
    ...fresh({ kind: 'tree', path: tree.path }),
    ...items,
  ];
}

/** Programs of earlier installs, which no daemon runs any more. */
function withoutOldTrees(
  plan: Plan,
  entries: readonly Entry[],
  say: (line: string) => void,
): readonly Entry[] {
  const folder = dirname(plan.tree.path);
  return entries.filter(({ kind, path }) => {
    if (kind !== 'tree' || dirname(path) !== folder || path === plan.tree.path) return true;
    rmSync(path, { recursive: true, force: true });
    say(`removed the earlier program ${path}`);
    return false;
  });
}
