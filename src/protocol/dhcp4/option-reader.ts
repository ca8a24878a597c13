import type { Decoded } from '../../wire/dhcp4/codec.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { optionName, type OptionName, type OptionValue, readOption } from '../../wire/dhcp4/options.ts';

/** So many remarks are kept of one answer. */
export const MOST_REMARKS = 16;

const CONTRADICTED = 'sent more than once with different values: the first one counts';

/** Reads the options of one answer, and keeps in words what in them is not as it should be. */
export class OptionReader {
  readonly #options: Dhcp4Message['options'];
  readonly #malformed: string[] = [];
  readonly #remarks: string[] = [];

  constructor({ options, contradicted = [] }: Pick<Dhcp4Message, 'options' | 'contradicted'>) {
    this.#options = options;
    for (const code of contradicted) this.remark(optionName(code), CONTRADICTED);
  }

  /** Undefined where the option is absent, and where it is malformed, which is kept. */
  take<N extends OptionName>(name: N): OptionValue<N> | undefined {
    const option = readOption(this.#options, name);
    if (option.kind === 'absent') return undefined;
    return this.judge(
      name,
      option.kind === 'value' ? { ...option, ok: true } : { ok: false, error: option.reason },
    );
  }

  /** The same for a value that was read out of another one. */
  judge<T>(name: OptionName, read: Decoded<T>): T | undefined {
    if (!read.ok) {
      this.#malformed.push(name);
      return undefined;
    }
    if (read.remark !== undefined) this.remark(name, read.remark);
    return read.value;
  }

  remark(name: string, what: string): void {
    if (this.#remarks.length < MOST_REMARKS) this.#remarks.push(`${name}: ${what}`);
  }

  /** Options that are treated as absent, by name. */
  get malformed(): readonly string[] {
    return this.#malformed;
  }

  /** What of the others is left out, in words. */
  get remarks(): readonly string[] {
    return this.#remarks;
  }
}
