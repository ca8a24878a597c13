import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isSysError } from '../base/sys-error.ts';
import { bootId } from '../kernel/clock.ts';
import { readOwnFile, writeOwnFile } from '../kernel/own-file.ts';
import type { FoundServiceNetwork } from '../node/services/found.ts';
import {
  formatMemory,
  NOTHING_REMEMBERED,
  parseMemory,
  parseOldCluster,
  parseOldNode,
  type ServiceMemory,
} from '../node/services/memory.ts';
import type { FindingSource } from '../node/services/sources.ts';

/** In the state folder. */
const FILE = 'service-networks.json';
/** Until there was one file for all: that of the search, and the folder of what the API said, with its spare files. */
const OLD_FILE = 'service-networks';
const OLD_FOLDER = 'cluster';
const OLD_SPARES = 'cluster-spare';

type Log = { warn(fields: object, message: string): void };

/** What is kept of one finder. `keep` throws SysError. */
export type KeptNetworks = {
  read(): readonly FoundServiceNetwork[];
  keep(found: readonly FoundServiceNetwork[]): void;
};

/** What was found of the service networks, for a start without an API: `<state>/service-networks.json`. */
export class ServiceMemoryFile {
  readonly #stateDir: string;
  #memory: ServiceMemory;

  private constructor(stateDir: string, memory: ServiceMemory) {
    this.#stateDir = stateDir;
    this.#memory = memory;
  }

  /** With what an earlier run has left, in whatever form. Rejects with SysError. */
  static async open(stateDir: string, log: Log): Promise<ServiceMemoryFile> {
    const text = await readOwnFile(stateDir, FILE);
    if (text === undefined) return await ServiceMemoryFile.#takeOver(stateDir, log);
    const memory = parseMemory(bootId(), text);
    if (memory === undefined) {
      log.warn({ file: FILE }, 'what an earlier run found of the service networks cannot be read');
    }
    return new ServiceMemoryFile(stateDir, memory ?? NOTHING_REMEMBERED);
  }

  static async #takeOver(stateDir: string, log: Log): Promise<ServiceMemoryFile> {
    const node = parseOldNode(bootId(), (await readOwnFile(stateDir, OLD_FILE)) ?? '');
    const kubernetes = parseOldCluster((await readIfThere(join(stateDir, OLD_FOLDER), FILE)) ?? '');
    const file = new ServiceMemoryFile(stateDir, { node, kubernetes });
    if (node.length + kubernetes.length === 0) return file;
    try {
      file.#write();
      for (const name of [OLD_FILE, OLD_FOLDER, OLD_SPARES]) {
        rmSync(join(stateDir, name), { recursive: true, force: true });
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // They are read again by the next start.
      log.warn(
        { error: error.message },
        'what an earlier run found of the service networks cannot be rewritten',
      );
    }
    return file;
  }

  of(source: FindingSource): KeptNetworks {
    return {
      read: () => this.#memory[source],
      keep: (found) => {
        this.#memory = { ...this.#memory, [source]: found };
        this.#write();
      },
    };
  }

  #write(): void {
    writeOwnFile(this.#stateDir, FILE, formatMemory(bootId(), this.#memory));
  }
}

async function readIfThere(folder: string, name: string): Promise<string | undefined> {
  try {
    return await readOwnFile(folder, name);
  } catch (error) {
    if (isSysError(error) && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
