import { UsageError } from './command.ts';
import { oneLine } from './one-line.ts';
import type { Finding } from '../doctor/finding.ts';
import type { KnownLan } from '../doctor/ports.ts';
import type { NodePlaces } from '../doctor/local/places.ts';
import type { NodeFacts } from '../doctor/local/ports.ts';

/** What the doctor needs of the system; the composition root opens it when it is asked for. */
export type DoctorParts = {
  readonly facts: NodeFacts;
  readonly places: NodePlaces;
  /**
   * What the LAN says to an uplink (doctor/lan.ts). `quick`: nothing that does not answer is waited for longer. `known`:
   * what the daemon has heard there.
   */
  readonly lan: (
    uplink: string | undefined,
    quick: boolean,
    known: KnownLan | undefined,
  ) => Promise<readonly Finding[]>;
  readonly close: () => Promise<void>;
};

export type OpenDoctor = () => Promise<DoctorParts>;

/** Where a command could not do what it is for: apart from 0, 1 and 2, which tell what was found. */
export const COULD_NOT_RUN = 3;

/** Opens the parts, works with them, and says in one line why that could not be. */
export async function withParts(
  name: string,
  open: OpenDoctor,
  work: (parts: DoctorParts) => Promise<number>,
): Promise<number> {
  try {
    const parts = await open();
    try {
      return await work(parts);
    } finally {
      await parts.close();
    }
  } catch (error) {
    if (!(error instanceof Error) || error instanceof UsageError) throw error;
    process.stderr.write(`leasehold ${name}: ${oneLine(error.message)}\n`);
    return COULD_NOT_RUN;
  }
}
