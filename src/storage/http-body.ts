// One attempt at a request, and the body that it brings: read piece by piece, given up when the server falls silent.
import { untilAbort } from "../base/until-abort.ts";

/** One try at a request: stopped by the caller's signal, or when nothing arrives for `stallMs`. */
export class Attempt {
  /** Set when the body outlives the attempt, as it does with a server that knows no ranges. */
  keep = false;
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #stallMs: number;

  constructor(stallMs: number, caller: AbortSignal | undefined) {
    this.#stallMs = stallMs;
    this.#caller = caller;
    caller?.addEventListener("abort", this.#stop, { once: true });
  }

  /** For the request. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for a sign of life of the server. */
  async guard<T>(promise: Promise<T>): Promise<T> {
    const timer = setTimeout(this.#stop, this.#stallMs);
    try {
      return await untilAbort(promise, this.signal);
    } catch (error) {
      if (this.signal.aborted && !this.#caller?.aborted) throw new Error(`no byte for ${this.#stallMs} ms`);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends what is still open, such as a body that brings more than was asked for. */
  end(): void {
    this.#caller?.removeEventListener("abort", this.#stop);
    if (!this.keep) this.#stop();
  }

  readonly #stop = () => this.#controller.abort();
}

/** A body as a run of bytes of the file that starts at `position`. */
export class BodyReader {
  /** Where in the file the next byte belongs. */
  position: number;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #left: Uint8Array = new Uint8Array(0);

  constructor(response: Response, position: number) {
    this.position = position;
    this.#reader = response.body!.getReader();
  }

  /** Passes over the bytes before `offset`, then fills `target`; a body that ends before is an error. */
  async fill(target: Uint8Array, offset: number, attempt: Attempt, onBytes: (count: number) => void): Promise<void> {
    let done = 0;
    while (done < target.length) {
      if (this.#left.length === 0) {
        const { value, done: ended } = await attempt.guard(this.#reader.read());
        if (ended) throw new Error(`the connection ended at byte ${this.position}, ${target.length - done} too early`);
        this.#left = value;
      }
      const skipped = Math.min(this.#left.length, offset + done - this.position);
      const part = this.#left.subarray(skipped, skipped + target.length - done);
      target.set(part, done);
      done += part.length;
      this.#left = this.#left.subarray(skipped + part.length);
      this.position += skipped + part.length;
      if (part.length > 0) onBytes(part.length);
    }
  }

  cancel(): void {
    this.#reader.cancel().catch(() => {}); // it may have failed already, which is why it is given up
  }
}
