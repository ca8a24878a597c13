import type { Style } from './style.ts';

/** Where the lab talks to a person. */
export type Output = {
  readonly style: Style;
  readonly write: (text: string) => void;
};

/** Numbered steps, each with a few indented lines that explain it. */
export class Steps {
  readonly #output: Output;
  readonly #total: number;
  #current = 0;

  constructor(output: Output, total: number) {
    this.#output = output;
    this.#total = total;
  }

  next(title: string): void {
    this.#current += 1;
    const { style, write } = this.#output;
    write(`${style.bold(`[${this.#current}/${this.#total}] ${title}`)}\n`);
  }

  note(text: string): void {
    this.#output.write(`      ${text}\n`);
  }
}
