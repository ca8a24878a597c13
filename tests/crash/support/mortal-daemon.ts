import { join } from 'node:path';
import { getOverSocket } from '../../../src/lab/daemon.ts';
import { logTail, signalProcess, waitUntilReady, type LongProcess } from '../../../src/lab/long-process.ts';
import { run } from '../../../src/lab/process.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import type { LanSite } from '../../daemon/support/lan.ts';
import { LEASEHOLD, logFileOf, pathArguments } from '../../daemon/support/site.ts';
import type { Moment } from './moments.ts';

const READY = 200;
const PROMPT_MS = 2;
const START_DEADLINE_MS = 60_000;
/** For a call that a daemon under load may never make. */
const PATIENCE_MS = 200;
const SOURCE = join(import.meta.dirname, 'moment.c');
const FLAGS = ['-std=c17', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'];

/** Daemons of one site, one after another; what they end of is chosen here. */
export class MortalDaemon {
  readonly #site: LanSite;
  readonly #preload: string;
  #running: LongProcess | undefined;
  #isReady = false;
  /** When daemons took calls, Unix time in milliseconds. */
  readonly #readyTimes: { readonly from: number; to: number }[] = [];

  private constructor(site: LanSite, preload: string) {
    this.#site = site;
    this.#preload = preload;
  }

  static async prepare(site: LanSite): Promise<MortalDaemon> {
    const preload = join(site.folder, 'moment.so');
    await run(['gcc', ...FLAGS, '-o', preload, SOURCE]);
    return new MortalDaemon(site, preload);
  }

  /** Whether the daemon is ready to take calls, as far as is known. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Started, and perhaps not yet ready. */
  async #start(env: Readonly<Record<string, string>>): Promise<LongProcess> {
    const { namespace, resources } = this.#site;
    const command = [LEASEHOLD, 'daemon', ...pathArguments(this.#site)];
    const options = { name: 'leasehold daemon', logFile: logFileOf(this.#site), env };
    this.#running = await namespace.start(command, options, resources);
    return this.#running;
  }

  /** For how many of the milliseconds between these two there was a daemon that took calls. */
  readyWithin(from: number, to: number): number {
    return this.#readyTimes.reduce(
      (sum, one) => sum + Math.max(0, Math.min(to, one.to) - Math.max(from, one.from)),
      0,
    );
  }

  async #look(): Promise<boolean> {
    const wasReady = this.#isReady;
    try {
      this.#isReady ||= (await getOverSocket(this.#site.socket, '/readyz'))?.status === READY;
    } catch (error) {
      // It died with the question, or in the middle of its answer.
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
    if (this.#isReady && !wasReady) this.#readyTimes.push({ from: Date.now(), to: Infinity });
    return this.#isReady;
  }

  /** One that lives until it is told otherwise; gives how long it took to be ready, in milliseconds. */
  async live(): Promise<number> {
    const before = performance.now();
    await waitUntilReady(await this.#start({}), () => this.#look());
    return performance.now() - before;
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#running;
    if (daemon === undefined) return;
    signalProcess(daemon, signal);
    await waitFor('the daemon to be gone', () => daemon.ended(), { everyMs: PROMPT_MS });
    const times = this.#readyTimes.at(-1);
    if (this.#isReady && times !== undefined) times.to = Date.now();
    this.#isReady = false;
    // Its namespaces and folders stay the site's; a dead process is nothing to take down.
    const { resources } = this.#site;
    const entry = resources.made.find((made) => made.kind === 'process' && made.id.pid === daemon.pid);
    if (entry !== undefined) await resources.remove(entry);
    this.#running = undefined;
  }

  /**
   * One that ends at this moment, or, where it does not come to that call, a moment after it is ready. True when it
   * ended by the call. Throws when it ended in any other way than by SIGKILL.
   */
  async dieAt(moment: Moment): Promise<boolean> {
    const isCall = moment.kind === 'call';
    const env = isCall ? { LD_PRELOAD: this.#preload, CRASH_AT: moment.at } : {};
    const started = performance.now();
    const daemon = await this.#start(env);
    let readyAt: number | undefined;
    await waitFor(
      'the moment',
      async () => {
        if (daemon.ended() !== undefined) return true;
        if (moment.kind === 'starting') return performance.now() >= started + moment.afterMs;
        if (readyAt === undefined && (await this.#look())) readyAt = performance.now();
        return (
          readyAt !== undefined && performance.now() >= readyAt + (isCall ? PATIENCE_MS : moment.afterMs)
        );
      },
      { everyMs: PROMPT_MS, deadlineMs: START_DEADLINE_MS },
    );
    const how = daemon.ended();
    if (how !== undefined && how !== 'SIGKILL') {
      throw new Error(`the daemon ended by itself (${how}): ${await logTail(daemon.logFile)}`);
    }
    await this.kill();
    return how !== undefined;
  }
}
