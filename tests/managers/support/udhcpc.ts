import { join } from 'node:path';
import { UPLINK } from '../../../src/lab/host.ts';
import { logTail, signalProcess, type LongProcess } from '../../../src/lab/long-process.ts';
import { logSince } from '../../../src/lab/server.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import type { Stage } from '../../story/support/stage.ts';
import { insulated } from './insulated.ts';

/** udhcpc on the node's uplink with Debian's default script. */
export class Udhcpc {
  readonly #stage: Stage;
  readonly #log: string;
  #process: LongProcess | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#log = join(stage.lan.folder, 'udhcpc-managed.log');
  }

  /** Runs it until it has a lease. */
  async start(): Promise<void> {
    const { node, lan } = this.#stage;
    await this.#leased(async () => {
      this.#process = await node.namespace.start(
        insulated(['udhcpc', '-f', '-R', '-i', UPLINK, '-T', '1', '-A', '1']),
        { name: 'udhcpc', logFile: this.#log },
        lan.resources,
      );
    });
  }

  /** SIGUSR1: it asks for its lease now (udhcpc(8)). Also after `release`. */
  async renew(): Promise<void> {
    await this.#leased(() => this.#signal('SIGUSR1'));
  }

  /** SIGUSR2: it gives its lease back and has none. */
  async release(): Promise<void> {
    await this.#saying(/entering released state/, () => this.#signal('SIGUSR2'));
  }

  #signal(signal: 'SIGUSR1' | 'SIGUSR2'): Promise<void> {
    if (this.#process === undefined) throw new Error('udhcpc was not started');
    signalProcess(this.#process, signal);
    return Promise.resolve();
  }

  async #leased(work: () => Promise<void>): Promise<void> {
    await this.#saying(/lease of \S+ obtained/i, work);
  }

  async #saying(what: RegExp, work: () => Promise<void>): Promise<void> {
    const said = await logSince(this.#log);
    await work();
    await waitFor(`udhcpc to say ${what}`, async () => what.test(await said()), {
      describe: () => logTail(this.#log),
    });
  }
}
