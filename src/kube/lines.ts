const LINE_FEED = 0x0a;

/** Bytes to lines, as they come: a watch is one JSON object a line. What has no line end yet is no line. */
export class Lines {
  readonly #most: number;
  readonly #decoder = new TextDecoder();
  #pieces: Uint8Array[] = [];
  #held = 0;

  /** `most`: bytes of one line. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The lines that this chunk ends, empty ones left out. Undefined: a line is too long, and nothing more is read. */
  take(chunk: Uint8Array): readonly string[] | undefined {
    const lines: string[] = [];
    let rest = chunk;
    for (let end = rest.indexOf(LINE_FEED); end >= 0; end = rest.indexOf(LINE_FEED)) {
      if (!this.#hold(rest.subarray(0, end))) return undefined;
      const line = this.#pieces.map((piece) => this.#decoder.decode(piece, { stream: true })).join('');
      lines.push(line + this.#decoder.decode());
      this.#pieces = [];
      this.#held = 0;
      rest = rest.subarray(end + 1);
    }
    return this.#hold(rest) ? lines.filter((line) => line.trim() !== '') : undefined;
  }

  #hold(piece: Uint8Array): boolean {
    this.#held += piece.length;
    if (this.#held > this.#most) return false;
    if (piece.length > 0) this.#pieces.push(piece);
    return true;
  }
}
