// The only place that buffers: a bounded queue between one producer and one consumer that iterates it.
import { invariant } from "./invariant.ts";

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/**
 * An async iterator that a producer fills. Values come out in order; `close` and `fail` take effect after the values
 * that are still buffered; a failure is thrown once, then the iteration is over.
 */
export class AsyncQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #capacity: number;
  readonly #cancel: (() => Promise<void> | void) | undefined;
  readonly #values: T[] = [];
  #consumers: Waiter<T>[] = [];
  #room: (() => void)[] = [];
  #end: { error?: unknown; failed: boolean } | undefined;

  /**
   * @param capacity values that may wait before the producer has to
   * @param cancel runs once when the consumer leaves early; `return()` waits for it
   */
  constructor(capacity: number, cancel?: () => Promise<void> | void) {
    invariant(capacity >= 1, `a queue needs a capacity of at least 1, not ${capacity}`);
    this.#capacity = capacity;
    this.#cancel = cancel;
  }

  /** Values that wait for the consumer. */
  get size(): number {
    return this.#values.length;
  }

  /**
   * Hands over a value; dropped when the queue has ended. A promise comes back when the queue is full: it resolves when
   * there is room again or the queue has ended, and until then the producer must not push.
   */
  push(value: T): Promise<void> | undefined {
    if (this.#end) return undefined;
    const consumer = this.#consumers.shift();
    if (consumer) {
      consumer.resolve({ done: false, value });
      return undefined;
    }
    invariant(this.#values.length < this.#capacity, `pushed into a full queue of ${this.#capacity}`);
    this.#values.push(value);
    if (this.#values.length < this.#capacity) return undefined;
    return new Promise((resolve) => this.#room.push(resolve));
  }

  /** No more values will come. */
  close(): void {
    this.#finish({ failed: false });
  }

  /** No more values will come, because of `error`. */
  fail(error: unknown): void {
    this.#finish({ failed: true, error });
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#values.length > 0) {
      const value = this.#values.shift() as T;
      if (this.#values.length < this.#capacity) this.#wakeProducer();
      return Promise.resolve({ done: false, value });
    }
    if (!this.#end) return new Promise((resolve, reject) => this.#consumers.push({ resolve, reject }));
    if (!this.#end.failed) return Promise.resolve({ done: true, value: undefined });
    const { error } = this.#end;
    this.#end = { failed: false };
    return Promise.reject(error);
  }

  /** The consumer leaves: what is buffered is dropped, the producer is told, and its clean-up awaited. */
  async return(): Promise<IteratorResult<T, undefined>> {
    const early = this.#end === undefined;
    this.#values.length = 0;
    this.#end = { failed: false };
    for (const consumer of this.#consumers.splice(0)) consumer.resolve({ done: true, value: undefined });
    this.#wakeProducer();
    if (early) await this.#cancel?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(end: { failed: boolean; error?: unknown }): void {
    if (this.#end) return;
    this.#end = end;
    this.#wakeProducer();
    const [first, ...others] = this.#consumers.splice(0);
    if (!first) return;
    if (end.failed) {
      this.#end = { failed: false };
      first.reject(end.error);
    } else first.resolve({ done: true, value: undefined });
    for (const consumer of others) consumer.resolve({ done: true, value: undefined });
  }

  #wakeProducer(): void {
    for (const wake of this.#room.splice(0)) wake();
  }
}
