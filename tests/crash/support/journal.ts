import { readFile } from 'node:fs/promises';

/** What the server did for one client, by its whole journal. */
export type Account = {
  readonly address: string;
  /** Leases given, renewals included. */
  readonly given: number;
  readonly isReleased: boolean;
};

/**
 * Kea's memfile is a journal: one row for each change of a lease. Gives the newest address of each client, by the text
 * of its client identifier.
 */
export async function readJournal(leaseFile: string): Promise<ReadonlyMap<string, Account>> {
  const [head = '', ...lines] = (await readFile(leaseFile, 'utf8')).split('\n');
  const columns = new Map(head.split(',').map((name, at) => [name, at]));
  const accounts = new Map<string, Account>();
  for (const line of lines) {
    const cells = line.split(',');
    const cell = (name: string): string => cells[columns.get(name) ?? -1] ?? '';
    const client = Buffer.from(cell('client_id').replaceAll(':', ''), 'hex').toString('utf8').slice(1);
    if (client === '') continue;
    const before = accounts.get(client);
    const isGiven = Number(cell('valid_lifetime')) > 0 && cell('state') === '0';
    accounts.set(client, {
      address: cell('address'),
      given: (before?.given ?? 0) + (isGiven ? 1 : 0),
      isReleased: Number(cell('valid_lifetime')) === 0,
    });
  }
  return accounts;
}
