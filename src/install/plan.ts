import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CONFLIST_NAME } from './conflists.ts';
import {
  ABSENT,
  fileFingerprint,
  fingerprintOf,
  type Fingerprint,
  isReplaceable,
  linkFingerprint,
  lstatOf,
} from './fingerprint.ts';
import { hostFolder, type HostPath, inside } from './host-path.ts';
import type { Item, Manifest } from './manifest.ts';
import { type Content, keptNameOf } from './place.ts';
import { listTree, type TreeFile, treeDigest } from './tree.ts';
import { CNI_STATE_FOLDER, unitText, UNIT, UNIT_FOLDER, WANTS_FOLDER } from './unit.ts';

/** Where the daemon keeps its leases, and install its manifest. */
export const STATE_FOLDER = '/var/lib/leasehold';
const COMMAND_FOLDER = '/usr/local/bin';
/** The Go plugins whose names the relay answers to with `--drop-in`. */
export const DROP_IN_NAMES = ['dhcp', 'macvlan', 'route-override'] as const;
/** What runtimes call for each pod beside its network. It is put where there is none, and gives way to any other. */
export const LOOPBACK = 'loopback';
const EXECUTABLE = 0o755;
const READABLE = 0o644;
/** As the Go plugins' own documents say: a network configuration may hold keys. */
const OWNER_ONLY = 0o600;

export type InstallOptions = {
  /** "/" for this machine, else the folder of an image: nothing is started there. */
  readonly root: string;
  readonly cniBin: string;
  readonly cniConf: string;
  readonly prefix: string;
  readonly dropIn: boolean;
  readonly replace: boolean;
  /** The network configuration; undefined leaves it out. */
  readonly conflist: string | undefined;
  /** Whether a unit is written. */
  readonly unit: boolean;
  readonly configPath: string | undefined;
  readonly serviceCidrs: readonly string[];
};

/** When a step is done: the network configuration last, because pods come as soon as it is there. */
export type Stage = 'program' | 'unit' | 'plugin' | 'network';

/** What is done about one path. */
export type Step = {
  readonly path: string;
  readonly stage: Stage;
  readonly content: Content;
  /**
   * there: it has this content already. theirs: what somebody else has there does as well. save, keep: what is there is put
   * aside first, by `save` or `keep` of place.ts.
   */
  readonly action: 'there' | 'theirs' | 'put' | 'put-if-absent' | 'keep' | 'save';
  readonly print: Fingerprint;
  readonly entry: Item | undefined;
};

export type Plan = {
  readonly base: string;
  readonly stateDir: string;
  readonly tree: { readonly path: string; readonly digest: string; readonly files: readonly TreeFile[] };
  /** To be made, outer ones first. */
  readonly folders: readonly string[];
  readonly steps: readonly Step[];
  /** Why it cannot be done; with one of them nothing is. Each says what to do. */
  readonly refusals: readonly string[];
  /** The folder of the network configurations. */
  readonly cniConf: string;
};

type Wish = {
  readonly path: string;
  readonly stage: Stage;
  readonly content: Content;
  /** Whoever has something there may keep it, whatever the flags say. */
  readonly yields: boolean;
};

/** Looks at the host and decides; changes nothing. Throws an Error for a path that cannot be meant. */
export function planInstall(
  options: InstallOptions,
  source: { readonly tree: string; readonly version: string },
  manifest: Manifest | undefined,
): Plan {
  const { root } = options;
  const base = realpathSync(root);
  const state = hostFolder(root, STATE_FOLDER, 'the state folder');
  const bin = hostFolder(root, options.cniBin, '--cni-bin');
  const conf = hostFolder(root, options.cniConf, '--cni-conf');
  const prefix = hostFolder(root, options.prefix, '--prefix');
  const commands = hostFolder(root, COMMAND_FOLDER, 'the folder for commands');
  const units = hostFolder(root, UNIT_FOLDER, "systemd's folder");
  const wants = hostFolder(root, WANTS_FOLDER, "systemd's folder");
  const files = listTree(source.tree);
  const digest = treeDigest(files);
  const path = join(prefix.path, `${source.version}-${digest}`);
  const program = inside(base, path);
  const plugin = (name: string, binary: string): Wish => ({
    path: join(bin.path, name),
    stage: 'plugin',
    content: { kind: 'file', bytes: readFileSync(join(source.tree, 'dist/cni', binary)), mode: EXECUTABLE },
    yields: name === LOOPBACK,
  });
  const wishes: readonly Wish[] = [
    {
      path: join(commands.path, 'leasehold'),
      stage: 'program',
      content: { kind: 'link', target: join(program, 'bin/leasehold') },
      yields: false,
    },
    ...(options.unit ? unitWishes(options, units.path, wants.path, program) : []),
    ...['leasehold', ...(options.dropIn ? DROP_IN_NAMES : [])].map((name) => plugin(name, 'leasehold')),
    plugin(LOOPBACK, LOOPBACK),
    ...(options.conflist === undefined ? [] : [conflistWish(conf.path, options.conflist)]),
  ];
  const decided = wishes.map((wish) => decide(wish, manifest, options.replace));
  const used: readonly HostPath[] = [
    state,
    prefix,
    commands,
    bin,
    // Must be there when the daemon starts, for it to be writable.
    ...(options.unit ? [units, wants, hostFolder(root, CNI_STATE_FOLDER, "the plugins' state folder")] : []),
    ...(options.conflist === undefined ? [] : [conf]),
  ];
  return {
    base,
    stateDir: state.path,
    tree: { path, digest, files },
    folders: [...new Set(used.flatMap(({ missing }) => missing))],
    steps: decided.filter((one) => typeof one !== 'string'),
    refusals: [...unwritable(used), ...decided.filter((one) => typeof one === 'string')],
    cniConf: conf.path,
  };
}

function unitWishes(options: InstallOptions, units: string, wants: string, tree: string): readonly Wish[] {
  const { configPath, serviceCidrs } = options;
  const bytes = unitText({ tree, configPath, serviceCidrs });
  return [
    {
      path: join(units, UNIT),
      stage: 'unit',
      content: { kind: 'file', bytes, mode: READABLE },
      yields: false,
    },
    // What `systemctl enable` makes.
    {
      path: join(wants, UNIT),
      stage: 'unit',
      content: { kind: 'link', target: join(UNIT_FOLDER, UNIT) },
      yields: false,
    },
  ];
}

function conflistWish(folder: string, text: string): Wish {
  const bytes = text.endsWith('\n') ? text : `${text}\n`;
  return {
    path: join(folder, CONFLIST_NAME),
    stage: 'network',
    content: { kind: 'file', bytes, mode: OWNER_ONLY },
    yields: false,
  };
}

/** The step for a path, or why there is none. */
function decide(wish: Wish, manifest: Manifest | undefined, replace: boolean): Step | string {
  const { path, content, yields } = wish;
  const entry = manifest?.entries.find(
    (known): known is Item => known.kind === 'item' && known.path === path,
  );
  const print = content.kind === 'link' ? linkFingerprint(content.target) : fileFingerprint(content.bytes);
  const now = fingerprintOf(path);
  const { stage } = wish;
  const step = (action: Step['action']): Step => ({ path, stage, content, action, print, entry });
  if (now === print) return step('there');
  if (yields && now === ABSENT) return step('put-if-absent');
  if (yields && isReplaceable(now) && entry?.ours.includes(now) !== true) return step('theirs');
  if (now === ABSENT || entry?.ours.includes(now) === true) {
    const taken = entry === undefined && lstatOf(keptNameOf(path)) !== undefined;
    return taken ? `${keptNameOf(path)} is there from an earlier install: put it back or away` : step('put');
  }
  if (!isReplaceable(now)) return `${path} is neither a file nor a link: move it away`;
  const text = stage === 'network' || stage === 'unit';
  // An install that was interrupted: this is what was there before it, not an edit of ours.
  if (manifest?.phase === 'installing' && typeof entry?.kept === 'string' && replace) return step('keep');
  if (entry !== undefined && text) {
    if (replace) return step('save');
    return `${path} was edited since install wrote it: --replace writes it anew and keeps yours as ${basename(path)}.saved; for the rest of the install leave it and give ${stage === 'network' ? '--no-conflist' : '--no-service'}`;
  }
  const whose = now.startsWith('link:') ? `a link to ${now.slice('link:'.length)}` : 'a file';
  if (!replace) {
    return `${path} is ${whose} that install did not make: --replace puts ours there, and uninstall puts it back`;
  }
  if (entry === undefined && lstatOf(keptNameOf(path)) !== undefined) {
    return `${keptNameOf(path)} is there from an earlier install: put it back or away`;
  }
  return step('keep');
}

/** Before anything is changed: an install that stops half-way can be continued, but it is no pleasure. */
function unwritable(folders: readonly HostPath[]): readonly string[] {
  const roots = folders.map(({ path, missing }) => (missing[0] === undefined ? path : dirname(missing[0])));
  return [...new Set(roots)]
    .filter((folder) => !isWritable(folder))
    .map(
      (folder) =>
        `${folder} cannot be written to: run it as root; where the system is read-only, name other folders (--cni-bin, --cni-conf, --prefix)`,
    );
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}
