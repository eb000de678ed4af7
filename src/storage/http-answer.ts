// Reads what a server answered to a Range request: which bytes, of how many, of which version, or why none.

import { EngineError } from "../base/errors.ts";

/** The part of a file that an answer carries. */
export interface Answer {
  readonly offset: number;
  /** Bytes in the body; undefined when the server does not say. */
  readonly length: number | undefined;
  /** Bytes of the whole file; undefined when the server does not say. */
  readonly size: number | undefined;
  /** ETag, else Last-Modified, else undefined. */
  readonly version: string | undefined;
  /** False when the whole file came although a range was asked for. */
  readonly ranged: boolean;
}

/** @throws EngineError `download_failed` for every other status, for a web page, and for headers that contradict themselves */
export function readAnswer(response: Response, url: string): Answer {
  const { status, headers } = response;
  if (status !== 200 && status !== 206) throw downloadFailed(url, `The server answered ${statusOf(response)}`, status);
  if (/^text\/html\b/i.test(headers.get("content-type") ?? "")) {
    throw downloadFailed(url, "A web page came instead of a model; use the file's own address", status);
  }
  const version = headers.get("etag") ?? headers.get("last-modified") ?? undefined;
  const length = wholeNumber(headers.get("content-length"));
  if (status === 200) return { offset: 0, length, size: length, version, ranged: false };
  const range = headers.get("content-range");
  if (range === null) return { offset: -1, length, size: undefined, version, ranged: true }; // hidden by CORS
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range);
  if (!match) throw downloadFailed(url, `The server answered with the range "${range.slice(0, 80)}"`, status);
  const [first, last, size] = [Number(match[1]), Number(match[2]), wholeNumber(match[3]!)];
  if (last < first || (size !== undefined && last >= size)) {
    throw downloadFailed(url, `The server answered with the range "${range.slice(0, 80)}"`, status);
  }
  return { offset: first, length: last - first + 1, size, version, ranged: true };
}

/** Answers that another attempt may better: the server is busy or broken, or the network was. */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof EngineError)) return true; // fetch and body readers throw TypeError for a broken connection
  if (error.code !== "download_failed") return false;
  const status = (error as EngineError<"download_failed">).details?.status;
  return status === undefined || status === 408 || status === 425 || status === 429 || status >= 500;
}

export function downloadFailed(url: string, what: string, status?: number, cause?: unknown) {
  return new EngineError("download_failed", `${what}: ${url}. Check the address and the connection, then try again.`, {
    details: { url, ...(status !== undefined && { status }) },
    cause,
  });
}

export function sourceChanged(url: string, what: string): EngineError<"source_changed"> {
  return new EngineError("source_changed", `${url} changed while it was read: ${what}. Load the model again.`);
}

function statusOf({ status, statusText }: Response): string {
  return statusText ? `${status} ${statusText}` : `${status}`;
}

function wholeNumber(text: string | null): number | undefined {
  if (text === null || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
