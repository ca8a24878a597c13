import { mkdirSync, readdirSync, watch, type FSWatcher } from 'node:fs';
import { settleSpool, spoolFolder, type RunSpooled, type SpoolLog } from './spool.ts';

const OWNER_FOLDER = 0o700;
/** A change that no watch tells of (none could be set up, the folder was replaced) waits this long. */
const LOOK_AGAIN_MS = 30_000;

/**
 * Settles the spool at start and whenever something is put there: a relay that gave up on a daemon just before it
 * was ready writes just after. One settlement at a time, or two would do the same request.
 */
export class SpoolWatch {
  readonly #socketPath: string;
  readonly #run: RunSpooled;
  readonly #log: SpoolLog;
  #running: Promise<void> | undefined;
  #again = false;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(socketPath: string, run: RunSpooled, log: SpoolLog) {
    this.#socketPath = socketPath;
    this.#run = run;
    this.#log = log;
  }

  /** Resolves when everything that was there at the call is settled. Never rejects: problems are logged. */
  settle(): Promise<void> {
    if (this.#running !== undefined) this.#again = true;
    this.#running ??= this.#settleAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #settleAll(): Promise<void> {
    do {
      this.#again = false;
      try {
        await settleSpool(this.#socketPath, this.#run, this.#log, { isStopped: () => this.#closed });
      } catch (error) {
        this.#log.warn({ error: String(error) }, 'the spool could not be settled');
      }
    } while (this.#again && !this.#closed);
  }

  /**
   * For an ADD: what its runtime was told is done comes first. A DEL of the same container that was spooled in the last
   * moment before the daemon was ready would take the new attachment away. As a rule there is nothing to wait for.
   */
  async settledFirst(): Promise<void> {
    if (this.#closed || !isAnythingIn(spoolFolder(this.#socketPath))) return;
    await this.settle();
  }

  /** From now on by itself, until `close`. What came since the last settlement is done as well. */
  start(): void {
    const folder = spoolFolder(this.#socketPath);
    const look = (): void => void this.settle();
    this.#timer = setInterval(look, LOOK_AGAIN_MS);
    try {
      mkdirSync(folder, { recursive: true, mode: OWNER_FOLDER });
      this.#watcher = watch(folder, (_, name) => {
        // The removal of an entry is an event too: nothing is to be done for it, but to look costs one readdir.
        if (name === null || !name.startsWith('.')) look();
      });
      this.#watcher.on('error', (error) => this.#blind(error));
    } catch (error) {
      this.#blind(error);
    }
    look();
  }

  #blind(error: unknown): void {
    this.#watcher?.close();
    this.#log.warn(
      { error: String(error), everyMs: LOOK_AGAIN_MS },
      'the spool cannot be watched and is only looked at now and then',
    );
  }

  /** No request is begun any more: what is left stays for the next start. Waits for those that are under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#watcher?.close();
    await this.#running;
  }
}

/** An entry that is being written does not count: nobody was told yet that it is done. */
function isAnythingIn(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => !name.startsWith('.'));
  } catch (error) {
    // No folder, or none that can be read: the settlement tells of that.
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}
