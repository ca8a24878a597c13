import { readFile } from 'node:fs/promises';

/** What the server did for one client, by its whole journal. */
export type Account = {
  readonly address: string;
  /** Leases given, renewals included. */
  readonly given: number;
  readonly isReleased: boolean;
  /** When its leases ended with neither a renewal nor a RELEASE before that, Unix time in milliseconds. */
  readonly lapses: readonly number[];
};

type Running = Account & { readonly end: number | undefined };

const MS_PER_SECOND = 1000;

/**
 * Kea's memfile is a journal: one row for each change of a lease. Gives the newest address of each client, by the text
 * of its client identifier.
 */
export async function readJournal(leaseFile: string): Promise<ReadonlyMap<string, Account>> {
  const [head = '', ...lines] = (await readFile(leaseFile, 'utf8')).split('\n');
  const columns = new Map(head.split(',').map((name, at) => [name, at]));
  const accounts = new Map<string, Running>();
  for (const line of lines) {
    const cells = line.split(',');
    const cell = (name: string): string => cells[columns.get(name) ?? -1] ?? '';
    const client = Buffer.from(cell('client_id').replaceAll(':', ''), 'hex').toString('utf8').slice(1);
    if (client === '') continue;
    const before = accounts.get(client);
    const [valid, end] = [Number(cell('valid_lifetime')), Number(cell('expire')) * MS_PER_SECOND];
    const isGiven = valid > 0 && cell('state') === '0';
    // Kea counts in whole seconds.
    const hasLapsed = isGiven && before?.end !== undefined && end - valid * MS_PER_SECOND >= before.end;
    accounts.set(client, {
      address: cell('address'),
      given: (before?.given ?? 0) + (isGiven ? 1 : 0),
      isReleased: valid === 0,
      lapses: [...(before?.lapses ?? []), ...(hasLapsed ? [before.end] : [])],
      end: isGiven ? end : valid === 0 ? undefined : before?.end,
    });
  }
  const now = Date.now();
  return new Map(
    [...accounts].map(([client, { end, lapses, ...account }]) => [
      client,
      { ...account, lapses: end !== undefined && end <= now ? [...lapses, end] : lapses },
    ]),
  );
}
