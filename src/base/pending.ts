// Promises that something outside may end: the one way by which a lost device or a dead worker rejects every call at once.

/** A set of waiting calls that fail together. */
export class PendingCalls {
  readonly #rejects = new Set<(error: unknown) => void>();
  #failure: { error: unknown } | undefined;

  get size(): number {
    return this.#rejects.size;
  }

  /** Settles as `call` does, or rejects with the error of `fail`, whichever comes first. */
  track<T>(call: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = <V>(end: (value: V) => void) => {
        return (value: V) => {
          this.#rejects.delete(reject);
          end(value);
        };
      };
      call.then(settle(resolve), settle(reject));
      if (this.#failure) reject(this.#failure.error);
      else this.#rejects.add(reject);
    });
  }

  /** Rejects every waiting call, and every later one. The first failure stays. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const reject of this.#rejects) reject(error);
    this.#rejects.clear();
  }
}
