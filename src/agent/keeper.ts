import { readdirSync, renameSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../base/os-error.ts';
import { type Instant, later, millis, seconds } from '../base/time.ts';
import { ABSENT, type Fingerprint, fingerprintOf, isReplaceable, lstatOf } from '../install/fingerprint.ts';
import { keep, keptNameOf, put, putIfAbsent, undo } from '../install/place.ts';
import { Repairs } from '../node/host/repairs.ts';
import { AGENT_RECORD } from '../install/manifest.ts';
import {
  type AgentRecord,
  entryOf,
  type KeptFile,
  NOTHING,
  readRecord,
  withFile,
  writeRecord,
} from './record.ts';
import { type FolderProblem, WatchedFolder } from './watched-folder.ts';
import type { Place, Wish } from './wishes.ts';

/** Changes come together: a folder is emptied file by file. */
const SOON = millis(10);
/** For what no watch tells of: it could not be set up, or a folder above was exchanged. */
const PERIOD = seconds(10);
const PERMISSIONS = 0o7777;
/** Earlier configurations, in one line of the log. */
const MOST_NAMED = 8;
/** libcni's endings: a runtime takes the first of these by name. */
const READ_BY_RUNTIMES = /\.(conflist|conf|json)$/;
/** What Cilium with `cni.exclusive` gives the configurations of others. */
export const CILIUM_ENDING = '.cilium_bak';

type Fields = Readonly<Record<string, unknown>>;

export type KeeperParts = {
  /** Where the node's folders are for this process. */
  readonly folders: Readonly<Record<Place, string>>;
  /** Plugins before network configurations: a runtime attaches pods as soon as it sees the latter. */
  readonly wishes: readonly Wish[];
  readonly stateDir: string;
  readonly clock: { now(): Instant };
  readonly timers: { at(at: Instant, callback: () => void): () => void };
  readonly log: {
    info(fields: Fields, message: string): void;
    warn(fields: Fields, message: string): void;
    error(fields: Fields, message: string): void;
  };
  /** Called before each change, with its name: a test stops it there. */
  readonly before?: (what: string) => void;
};

/** What is at a path, as far as a look at its inode tells that it is still the same. */
type Seen = { readonly mark: string; readonly print: Fingerprint };

/**
 * Keeps files on the node whatever others do to them: each is made beside its place and takes it by a rename, so that
 * nothing is ever written into a file that is there, or through a link. What it is about to do is on record before it does it.
 */
export class Keeper {
  readonly #parts: KeeperParts;
  readonly #folders: Readonly<Record<Place, WatchedFolder>>;
  readonly #repairs = new Repairs();
  readonly #seen = new Map<string, Seen>();
  /** Files that were there in this run: to put them again is a repair. */
  readonly #there = new Set<string>();
  #record: AgentRecord;
  #problem: FolderProblem | undefined;
  #earlier = '';
  #cancelLook: (() => void) | undefined;
  #lookAt: Instant | undefined;
  #closed = false;
  #started = false;
  /** What this keeper makes beside its files is a change of the folder as well: heeded after a refusal, it would never rest. */
  #isRefused = false;
  /** Of the record's file, as it was written. */
  #recordMark: string | undefined;

  /** Throws an Error for a record that cannot be read. */
  constructor(parts: KeeperParts) {
    this.#parts = parts;
    const soon = (): void => {
      if (!this.#isRefused) this.#lookBy(later(parts.clock.now(), SOON));
    };
    this.#folders = {
      plugin: new WatchedFolder(parts.folders.plugin, soon),
      network: new WatchedFolder(parts.folders.network, soon),
    };
    this.#record = readRecord(parts.stateDir);
  }

  /** Why a pod could not be attached because of what is not where it belongs; undefined: all is there. */
  get problem(): string | undefined {
    return this.#problem?.text;
  }

  /** What would be in the way of a start, for who stands by. */
  get problemAhead(): string | undefined {
    return (this.#folders.plugin.problem() ?? this.#folders.network.problem())?.text;
  }

  /** Only another process can mend it. */
  get isStuck(): boolean {
    return this.#problem?.isStuck === true;
  }

  /** Takes away what earlier agents put and this one does not want, puts the rest, and keeps it so until `close`. */
  start(): void {
    // Another agent may have gone on while this one stood by.
    this.#record = readRecord(this.#parts.stateDir);
    this.#recordMark = this.#markOfRecord();
    this.#started = true;
    this.#try(() => this.#takeAwayUnwanted());
    this.look();
  }

  close(): void {
    // By it the rest is taken away, where that is what comes now.
    if (this.#started && !this.#closed) this.#try(() => this.#keepRecord());
    this.#closed = true;
    this.#cancelLook?.();
    for (const folder of Object.values(this.#folders)) folder.close();
  }

  /** Puts what is missing or another. */
  look(): void {
    if (this.#closed) return;
    this.#cancelLook?.();
    this.#lookAt = undefined;
    this.#lookBy(later(this.#parts.clock.now(), PERIOD));
    const problem = this.#try(() => this.#lookAtAll());
    if (problem?.text !== this.#problem?.text) {
      if (problem === undefined)
        this.#parts.log.info({}, 'plugins and network configuration are where they belong');
      else this.#parts.log.error({ reason: problem.text }, 'pods cannot be attached on this node');
    }
    this.#problem = problem;
  }

  #lookAtAll(): FolderProblem | undefined {
    this.#keepRecord();
    for (const place of ['plugin', 'network'] as const) {
      const problem =
        this.#folders[place].ready(() => this.#rememberFolder(place)) ??
        this.#firstProblem(this.#parts.wishes.filter((wish) => wish.place === place));
      // Without its plugin a network configuration would have pods fail that another one could attach.
      if (problem !== undefined) return problem;
    }
    this.#nameEarlier();
    return undefined;
  }

  #firstProblem(wishes: readonly Wish[]): FolderProblem | undefined {
    return wishes.map((wish) => this.#keep(wish)).find((problem) => problem !== undefined);
  }

  #keep(wish: Wish): FolderProblem | undefined {
    const { place, name, print, mode, yields } = wish;
    const path = join(this.#folders[place].path, name);
    const entry = entryOf(this.#record, place, name);
    const { now, asIs } = this.#printOf(path, mode);
    if (now === print && asIs) {
      if (entry?.ours.includes(print) !== true) this.#remember(wish, false);
      this.#there.add(path);
      return undefined;
    }
    if (!isReplaceable(now)) {
      return { text: `${path} is neither a file nor a link: move it away`, isStuck: false };
    }
    const isForeign = now !== ABSENT && now !== print && entry?.ours.includes(now) !== true && !isEmpty(path);
    if (isForeign && yields) return undefined;
    const isRepair = this.#there.has(path);
    const time = this.#parts.clock.now();
    const notBefore = isRepair ? this.#repairs.notBefore(path, time) : undefined;
    if (notBefore !== undefined) {
      this.#lookBy(notBefore);
      return {
        text: `${path} is taken away by somebody again and again; ${remedy(path, place)}`,
        isStuck: false,
      };
    }
    // An edit of our own network configuration is nothing that belongs there when we are gone.
    const isEdit = isForeign && place === 'network' && entry !== undefined && !isStillToKeep(entry, path);
    this.#remember(wish, isForeign && !isEdit);
    this.#parts.before?.(`put ${path}`);
    if (isEdit) renameSync(path, `${path}.saved`);
    else if (isForeign) keep(path, keptNameOf(path));
    this.#parts.before?.(`rename ${path}`);
    const content = { kind: 'file', bytes: wish.bytes, mode } as const;
    // False: somebody else's has come in this moment.
    if (yields && now === ABSENT && !putIfAbsent(path, content)) return undefined;
    if (!yields || now !== ABSENT) put(path, content);
    this.#there.add(path);
    this.#say(path, place, { now, isRepair, isForeign, isEdit });
    if (isRepair && this.#repairs.note(path, time)) {
      this.#parts.log.error(
        { file: path, remedy: remedy(path, place) },
        'somebody takes this file away again and again; it is put back more rarely now',
      );
    }
    return undefined;
  }

  #say(
    path: string,
    place: Place,
    what: {
      readonly now: Fingerprint;
      readonly isRepair: boolean;
      readonly isForeign: boolean;
      readonly isEdit: boolean;
    },
  ): void {
    const { now, isRepair, isForeign, isEdit } = what;
    const { log } = this.#parts;
    const found =
      now === ABSENT
        ? 'nothing'
        : now.startsWith('link:')
          ? `a link to ${now.slice('link:'.length)}`
          : 'a file';
    const aside = isEdit ? `${path}.saved` : isForeign ? keptNameOf(path) : undefined;
    const fields = { file: path, found, ...(aside === undefined ? {} : { kept: aside }) };
    if (isRepair)
      log.warn({ ...fields, remedy: remedy(path, place) }, 'somebody changed this file: ours is put back');
    else log.info(fields, 'a file is put on the node');
  }

  /** By the inode: reading a plugin again for each look would cost a millisecond. */
  #printOf(path: string, mode: number): { readonly now: Fingerprint; readonly asIs: boolean } {
    const stat = lstatOf(path);
    if (stat === undefined) return { now: ABSENT, asIs: false };
    const mark = markOf(stat);
    const known = this.#seen.get(path);
    const now = known?.mark === mark ? known.print : fingerprintOf(path);
    this.#seen.set(path, { mark, print: now });
    return { now, asIs: (stat.mode & PERMISSIONS) === mode && stat.uid === process.geteuid?.() };
  }

  #remember(wish: Wish, isKept: boolean): void {
    const entry = entryOf(this.#record, wish.place, wish.name);
    if (entry?.ours.at(-1) === wish.print && (entry.isKept || !isKept)) return;
    this.#write(withFile(this.#record, wish, wish.print, isKept));
  }

  /** A state folder that somebody empties while this runs must not leave the node with files that are nobody's. */
  #keepRecord(): undefined {
    const isLost = this.#record !== NOTHING && this.#markOfRecord() !== this.#recordMark;
    if (!isLost) return;
    this.#parts.log.warn(
      { folder: this.#parts.stateDir },
      'the record of what the agent has put on this node was changed or removed: it is written again',
    );
    this.#write(this.#record);
  }

  #markOfRecord(): string | undefined {
    return markOf(lstatOf(join(this.#parts.stateDir, AGENT_RECORD)));
  }

  #rememberFolder(place: Place): void {
    if (this.#record.folders.includes(place)) return;
    this.#write({ ...this.#record, folders: [...this.#record.folders, place] });
  }

  #write(record: AgentRecord): void {
    this.#parts.before?.('record');
    writeRecord(this.#parts.stateDir, record);
    this.#record = record;
    this.#recordMark = this.#markOfRecord();
  }

  /** An older version, or other flags, had more names. Network configurations first. */
  #takeAwayUnwanted(): undefined {
    const { wishes, log } = this.#parts;
    const unwanted = this.#record.files
      .filter(({ place, name }) => !wishes.some((wish) => wish.place === place && wish.name === name))
      .toSorted((a, b) => a.place.localeCompare(b.place));
    for (const file of unwanted) {
      const path = join(this.#folders[file.place].path, file.name);
      const outcome = undo(path, file.ours, file.isKept ? keptNameOf(path) : undefined);
      log.info({ file: path, outcome }, 'a file of an earlier agent is not wanted any more');
      this.#write({ ...this.#record, files: this.#record.files.filter((one) => one !== file) });
    }
  }

  /** A runtime takes the first by name. What belongs to somebody else is not touched. */
  #nameEarlier(): void {
    const ours = this.#parts.wishes.find(({ place }) => place === 'network')?.name;
    const folder = this.#folders.network.path;
    if (ours === undefined) return;
    const earlier = readdirSync(folder)
      .filter(
        (name) => READ_BY_RUNTIMES.test(name) && Buffer.compare(Buffer.from(name), Buffer.from(ours)) < 0,
      )
      .toSorted()
      .slice(0, MOST_NAMED);
    if (earlier.join() === this.#earlier) return;
    this.#earlier = earlier.join();
    if (earlier.length === 0) this.#parts.log.info({}, `${ours} is the first network configuration now`);
    else {
      this.#parts.log.warn(
        { folder, earlier },
        `a runtime takes the first network configuration by name, and that is not ${ours}: remove the other, or give --conflist-name an earlier name. Where it is a meta plugin that calls the next one (Multus), all is well`,
      );
    }
  }

  #lookBy(at: Instant): void {
    if (this.#closed || (this.#lookAt !== undefined && this.#lookAt <= at)) return;
    this.#cancelLook?.();
    this.#lookAt = at;
    this.#cancelLook = this.#parts.timers.at(at, () => this.look());
  }

  /** What the file system refuses is a problem of the node, and not of this program. */
  #try(act: () => FolderProblem | undefined): FolderProblem | undefined {
    this.#isRefused = false;
    try {
      return act();
    } catch (error) {
      if (!hasCode(error)) throw error;
      this.#isRefused = true;
      return { text: `the node's files cannot be put: ${error.message}`, isStuck: false };
    }
  }
}

/** Another one for another file, and for another content. */
function markOf(stat: Stats): string;
function markOf(stat: Stats | undefined): string | undefined;
function markOf(stat: Stats | undefined): string | undefined {
  return stat && `${stat.dev}:${stat.ino}:${stat.size}:${stat.ctimeMs}`;
}

/** An agent that crashed had come no further: this is what was there before, perhaps under both names already. */
function isStillToKeep({ isKept }: KeptFile, path: string): boolean {
  const kept = lstatOf(keptNameOf(path));
  return isKept && (kept === undefined || kept.ino === lstatOf(path)?.ino);
}

function isEmpty(path: string): boolean {
  const stat = lstatOf(path);
  return stat?.isFile() === true && stat.size === 0;
}

function remedy(path: string, place: Place): string {
  if (place === 'network') {
    return lstatOf(`${path}${CILIUM_ENDING}`) === undefined
      ? 'another network plugin may want to be the only one (Cilium: cni.exclusive=false): let one of the two go'
      : 'Cilium renames the network configurations of others: set cni.exclusive=false in its values, or let one of the two go';
  }
  return 'what installs plugins on this node (a DaemonSet of another network, the distribution: NixOS empties the folder at each start of the kubelet) may do it';
}
