/** Values that are pushed, to be iterated over once. */
export class Channel<T> implements AsyncIterable<T> {
  #values: T[] = [];
  #end: { error?: unknown } | undefined;
  #wake: () => void = () => {};

  /** Adds a value. */
  push(value: T): void {
    if (this.#end) return;
    this.#values.push(value);
    this.#wake();
  }

  /** Ends the iteration after the values that were pushed. */
  end(): void {
    this.#end ??= {};
    this.#wake();
  }

  /** Ends the iteration with an error after the values that were pushed. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      const values = this.#values;
      this.#values = [];
      yield* values;
      if (this.#values.length) continue;
      if (this.#end) {
        if ("error" in this.#end) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
