import { visible, visibleJson } from '../../base/outside-text.ts';
import { NEWEST_VERSION, type CniVersion } from './versions.ts';
import { ERRORS, type ErrorEntry, type ErrorName } from './error-table.ts';

/**
 * A CNI verb that failed in a way that its caller shall hear of. `kind` is the row of the error table, `code` its
 * number, `message` one line that names the field or the thing, `details` the longer story (a diagnosis), if any.
 */
export class CniError extends Error {
  override readonly name = 'CniError';
  readonly kind: ErrorName;
  readonly code: number;
  readonly details: string | undefined;

  constructor(kind: ErrorName, msg: string, details?: string, options?: ErrorOptions) {
    super(msg, options);
    this.kind = kind;
    this.code = entryOf(kind).code;
    this.details = details;
  }
}

/** What a plugin prints on stdout when it fails (CNI spec, section "Error"). */
export type CniErrorObject = {
  readonly cniVersion: CniVersion;
  readonly code: number;
  readonly msg: string;
  readonly details: string;
};

/**
 * Any thrown value as the object to answer with. Without details of its own an error carries the remedy of its
 * row, because runtimes show `details` to the person in front of a pod that does not start. Names and words from outside
 * that are in it are made visible here, whoever put them in.
 */
export function toErrorObject(error: unknown, cniVersion: CniVersion = NEWEST_VERSION): CniErrorObject {
  const known =
    error instanceof CniError
      ? error
      : new CniError('internal', error instanceof Error ? error.message : String(error));
  const { code, message, details } = known;
  return { cniVersion, code, msg: visible(message), details: visible(details ?? entryOf(known.kind).remedy) };
}

export function entryOf(kind: ErrorName): ErrorEntry {
  return ENTRIES[kind];
}

const ENTRIES: Readonly<Record<ErrorName, ErrorEntry>> = ERRORS;

const LONGEST_QUOTE = 64;

/** A piece of foreign input for use in a message: bounded, and visible. */
export function quoted(text: string): string {
  return visibleJson(JSON.stringify(text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text));
}
