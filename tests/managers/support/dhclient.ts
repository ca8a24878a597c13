import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UPLINK } from '../../../src/lab/host.ts';
import { logTail, type LongProcess } from '../../../src/lab/long-process.ts';
import { logSince } from '../../../src/lab/server.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import type { Stage } from '../../story/support/stage.ts';
import { insulated } from './insulated.ts';

/** ISC dhclient on the node's uplink with Debian's configuration and Debian's dhclient-script. */
export class Dhclient {
  readonly #stage: Stage;
  readonly #files: readonly string[];
  readonly #log: string;

  constructor(stage: Stage) {
    this.#stage = stage;
    const file = (name: string): string => join(stage.lan.folder, name);
    this.#files = ['-pf', file('dhclient.pid'), '-lf', file('dhclient.leases')];
    this.#log = file('dhclient-managed.log');
  }

  /** Runs it until it is bound. */
  async start(): Promise<LongProcess> {
    const { node, lan } = this.#stage;
    const said = await logSince(this.#log);
    const started = await node.namespace.start(
      insulated(['dhclient', '-4', '-d', ...this.#files, UPLINK]),
      { name: 'dhclient', logFile: this.#log },
      lan.resources,
    );
    await waitFor('dhclient to be bound', async () => (await said()).includes('bound to'), {
      deadlineMs: 20_000,
      describe: () => logTail(this.#log),
    });
    return started;
  }

  /** `dhclient -r`: the address is given back, and the one that runs is ended. */
  async release(): Promise<void> {
    await this.#stage.node.namespace.run(insulated(['dhclient', '-4', '-r', ...this.#files, UPLINK]));
  }

  /** Waits until it has said this so many times more than now. */
  async says(what: RegExp, times = 1): Promise<void> {
    const said = await logSince(this.#log);
    const count = async (): Promise<number> => [...(await said()).matchAll(what)].length;
    await waitFor(`dhclient to say ${what}`, async () => (await count()) >= times, {
      deadlineMs: 30_000,
      describe: async () => (await readFile(this.#log, 'utf8')).slice(-2000),
    });
  }
}
