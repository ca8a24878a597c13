import type { Codec } from './codec.ts';

/** One row of the option table, under its canonical name. */
export type OptionSpec = {
  readonly code: number;
  readonly codec: Codec<unknown>;
  /** RFC number and section, or who else defines it. */
  readonly rfc: string;
  /** Other names in lower case: those of dnsmasq, Kea and common use. */
  readonly aliases?: readonly string[];
  /** Whether a value over 255 bytes may go as several options that the reader joins again (RFC 3396). */
  readonly splits?: boolean;
  /** Configured text goes out as its own bytes although the codec reads more into it. */
  readonly literal?: boolean;
  /** Only the exchange itself sends it, or nobody does: never from configuration. */
  readonly reserved?: boolean;
};
