// A file behind a URL: Range requests, each checked to be of the same version, retried and resumed where they broke off.
// If-Range is not sent, since it costs a CORS preflight that model hosts may refuse; each answer's ETag is compared instead.

import { abortedError, type EngineError, throwIfAborted } from "../base/errors.ts";
import { type Sleep, sleep } from "../base/until-abort.ts";
import { backoffMs, createGate } from "./backoff.ts";
import { type ByteSource, checkRange } from "./byte-source.ts";
import { type Answer, downloadFailed, mayPass, readAnswer, sourceChanged } from "./http-answer.ts";
import { Attempt, BodyReader } from "./http-body.ts";

export interface HttpOptions {
  fetch?: typeof fetch;
  signal?: AbortSignal;
  /** Attempts after the first that may fail in a row without bringing bytes. */
  retries?: number;
  /** An answer that brings no byte for so long counts as broken off. */
  stallMs?: number;
  /** For tests. */
  sleep?: Sleep;
}

export interface HttpSource extends ByteSource {
  readonly url: string;
  /** The server's ETag or Last-Modified; undefined when it sends neither. */
  readonly version: string | undefined;
  /** Fills `target` from `offset`, telling each arrival. */
  readInto(target: Uint8Array, offset: number, signal?: AbortSignal, onBytes?: (count: number) => void): Promise<void>;
  /** Ends a connection that is kept open, as with a server that knows no ranges. */
  close(): void;
}

const FIRST_BYTES = 256 * 1024; // the first answer brings the size, and most headers with it
const REQUEST_BYTES = 4 * 1024 * 1024; // long enough to fill a fast line, short enough to lose when it breaks
const PARALLEL = 3;
const RETRIES = 5;
const STALL_MS = 30_000;
const PROGRESS_BYTES = 64 * 1024; // what an attempt must bring to count as progress

/**
 * Opens a URL: one request, for the first 256 KiB.
 * @throws EngineError `download_failed` with the status, `source_changed`, `aborted`; reads throw the same
 */
export async function httpSource(url: string, options: HttpOptions = {}): Promise<HttpSource> {
  const client = new RangeClient(url, options);
  await client.open(options.signal);
  const gate = createGate(client.ranged ? PARALLEL : 1);
  const readInto: HttpSource["readInto"] = async (target, offset, signal, onBytes) => {
    checkRange(url, client.size, offset, target.length);
    throwIfAborted(signal);
    const pieces: Promise<void>[] = [];
    for (let at = 0; at < target.length; at += REQUEST_BYTES) {
      const piece = target.subarray(at, Math.min(at + REQUEST_BYTES, target.length));
      pieces.push(gate(() => client.fill(piece, offset + at, signal, onBytes)));
    }
    const failed = (await Promise.allSettled(pieces)).find((piece) => piece.status === "rejected");
    if (failed) throw failed.reason;
  };
  return {
    name: decodeURIComponentSafely(url.replace(/[?#].*$/, "").replace(/^.*\//, "")) || url,
    url,
    size: client.size,
    version: client.version,
    readInto,
    async read(offset, length, signal) {
      const target = new Uint8Array(length);
      await readInto(target, offset, signal);
      return target;
    },
    close: () => client.close(),
  };
}

/** One file on one server, as its first answer described it. */
class RangeClient {
  size = 0;
  version: string | undefined;
  ranged = true;
  readonly #url: string;
  readonly #fetch: typeof fetch;
  readonly #retries: number;
  readonly #stallMs: number;
  readonly #sleep: Sleep;
  /** The bytes of the first answer. */
  #prefix: Uint8Array = new Uint8Array(0);
  /** The body of a server that knows no ranges: read on from where the last read ended, from the start when it must go back. */
  #whole: BodyReader | undefined;

  constructor(url: string, options: HttpOptions) {
    this.#url = url;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#retries = options.retries ?? RETRIES;
    this.#stallMs = options.stallMs ?? STALL_MS;
    this.#sleep = options.sleep ?? sleep;
  }

  async open(signal: AbortSignal | undefined): Promise<void> {
    await this.#persist(signal, async (attempt) => {
      const { response, answer } = await this.#request(0, FIRST_BYTES, attempt);
      const size = answer.size ?? (await this.#sizeByHead(attempt));
      if (size === undefined)
        throw downloadFailed(this.#url, "The server does not say how long the file is", response.status);
      if (size === 0) throw downloadFailed(this.#url, "The file is empty", response.status);
      if (answer.offset > 0) throw downloadFailed(this.#url, `The server sent bytes from ${answer.offset} for 0`);
      this.size = size;
      this.version = answer.version;
      this.ranged = answer.ranged;
      const prefix = new Uint8Array(Math.min(FIRST_BYTES, size));
      await this.#readBody(new BodyReader(response, 0), prefix, 0, attempt, () => {});
      this.#prefix = prefix;
      return true;
    });
  }

  /** Fills `target` with the bytes from `offset`, over as many attempts as it takes. */
  async fill(
    target: Uint8Array,
    offset: number,
    signal?: AbortSignal,
    onBytes?: (count: number) => void,
  ): Promise<void> {
    const known = this.#prefix.subarray(offset, offset + target.length);
    target.set(known);
    let done = known.length;
    if (done > 0) onBytes?.(done);
    if (done === target.length) return;
    await this.#persist(signal, async (attempt) => {
      const before = done;
      const from = offset + done;
      try {
        const body = await this.#bodyAt(from, target.length - done, attempt);
        await this.#readBody(body, target.subarray(done), from, attempt, (count) => {
          done += count;
          onBytes?.(count);
        });
      } catch (error) {
        if (done - before < PROGRESS_BYTES) throw error;
        throwUnlessPassing(error);
      }
      return done === target.length;
    });
  }

  close(): void {
    this.#whole?.cancel();
    this.#whole = undefined;
  }

  async #bodyAt(from: number, length: number, attempt: Attempt): Promise<BodyReader> {
    const whole = this.#whole;
    this.#whole = undefined;
    if (whole && whole.position <= from) return whole;
    whole?.cancel();
    const { response, answer } = await this.#request(from, length, attempt);
    this.#check(answer, from, length);
    return new BodyReader(response, answer.ranged ? from : 0);
  }

  async #readBody(
    body: BodyReader,
    target: Uint8Array,
    offset: number,
    attempt: Attempt,
    onBytes: (count: number) => void,
  ): Promise<void> {
    try {
      await body.fill(target, offset, attempt, onBytes);
    } catch (error) {
      body.cancel();
      throw error;
    }
    if (this.ranged) return body.cancel();
    attempt.keep = true;
    this.#whole = body;
  }

  /** Never a mix of versions: every answer must be of the file that the first one was of. */
  #check(answer: Answer, from: number, length: number): void {
    if (answer.version !== this.version)
      throw sourceChanged(this.#url, `version ${this.version}, now ${answer.version}`);
    if (answer.size !== undefined && answer.size !== this.size) {
      throw sourceChanged(this.#url, `${this.size} bytes, now ${answer.size}`);
    }
    if (this.ranged && !answer.ranged) throw downloadFailed(this.#url, "The server ceased to serve ranges");
    const misplaced = answer.ranged && answer.offset !== -1 && answer.offset !== from;
    if (misplaced || (answer.ranged && answer.length !== undefined && answer.length !== length)) {
      throw downloadFailed(
        this.#url,
        `The server sent ${answer.length} bytes from ${answer.offset} for ${length} from ${from}`,
      );
    }
  }

  async #request(offset: number, length: number, attempt: Attempt): Promise<{ response: Response; answer: Answer }> {
    const response = await attempt.guard(
      this.#fetch(this.#url, {
        headers: { Range: `bytes=${offset}-${offset + length - 1}` },
        cache: "no-store", // the bytes go to OPFS; a second copy in the HTTP cache would only take space
        signal: attempt.signal,
      }),
    );
    try {
      return { response, answer: readAnswer(response, this.#url) };
    } catch (error) {
      response.body?.cancel().catch(() => {});
      throw error;
    }
  }

  /** A cross-origin server that hides Content-Range may still show the length of the whole. */
  async #sizeByHead(attempt: Attempt): Promise<number | undefined> {
    const response = await attempt.guard(
      this.#fetch(this.#url, { method: "HEAD", cache: "no-store", signal: attempt.signal }),
    );
    return response.status === 200 ? readAnswer(response, this.#url).size : undefined;
  }

  /** Repeats `task` until it says true; failures in a row are limited, progress (false) starts the count again. */
  async #persist(signal: AbortSignal | undefined, task: (attempt: Attempt) => Promise<boolean>): Promise<void> {
    for (let failures = 0; ; ) {
      throwIfAborted(signal);
      const attempt = new Attempt(this.#stallMs, signal);
      try {
        if (await task(attempt)) return;
        failures = 0;
      } catch (error) {
        if (signal?.aborted) throw abortedError(signal);
        throwUnlessPassing(error);
        failures++;
        if (failures > this.#retries) throw this.#final(error, failures);
        await this.#sleep(backoffMs(failures), signal);
      } finally {
        attempt.end();
      }
    }
  }

  #final(error: unknown, failures: number): EngineError<"download_failed"> {
    const status = (error as Partial<EngineError<"download_failed">>).details?.status;
    const reason = error instanceof Error ? error.message : String(error);
    return downloadFailed(
      this.#url,
      `The download failed ${failures} times in a row, at last by "${reason}"`,
      status,
      error,
    );
  }
}

function throwUnlessPassing(error: unknown): void {
  if (!mayPass(error)) throw error;
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
