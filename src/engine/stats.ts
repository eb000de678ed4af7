// The figures of one request: measured here once, read by the demo, the command line and the bench alike.
import type { ErrorCode } from "../base/errors.ts";
import type { GenerationEvent } from "./generate.ts";

/** Durations are in milliseconds; those that were not reached are 0. */
export interface RequestStats {
  /** The completion's id. */
  readonly id: string;
  readonly promptTokens: number;
  /** Prompt tokens that needed no prefill. */
  readonly cachedTokens: number;
  /** Of all choices, without the tokens that end them. */
  readonly completionTokens: number;
  /** Until the request was admitted. */
  readonly queuedMs: number;
  /** From admission to the first sampled token. */
  readonly prefillMs: number;
  /** From the request to the first sampled token. */
  readonly firstTokenMs: number;
  /** From the first sampled token to the end. */
  readonly decodeMs: number;
  /** The finish reason, or the code of the error that ended it. */
  readonly finish: "stop" | "length" | "error" | ErrorCode;
}

export interface Stopwatch {
  admitted(cachedTokens: number): void;
  saw(event: GenerationEvent): void;
  stats(finish: RequestStats["finish"]): RequestStats;
}

export function createStopwatch(id: string, promptTokens: number): Stopwatch {
  const start = performance.now();
  let admittedAt: number | undefined;
  let firstTokenAt: number | undefined;
  let completionTokens = 0;
  let cachedTokens = 0;
  return {
    admitted(count) {
      admittedAt = performance.now();
      cachedTokens = count;
    },
    saw(event) {
      if (event.type !== "token") return;
      firstTokenAt ??= performance.now();
      if (event.counts) completionTokens++;
    },
    stats(finish) {
      const end = performance.now();
      return {
        id,
        promptTokens,
        cachedTokens,
        completionTokens,
        queuedMs: (admittedAt ?? end) - start,
        prefillMs: admittedAt === undefined || firstTokenAt === undefined ? 0 : firstTokenAt - admittedAt,
        firstTokenMs: firstTokenAt === undefined ? 0 : firstTokenAt - start,
        decodeMs: firstTokenAt === undefined ? 0 : end - firstTokenAt,
        finish,
      };
    },
  };
}
