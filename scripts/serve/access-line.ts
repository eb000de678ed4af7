// One line of the access log for each request: what was asked for, how it went and how fast. Nothing of what was said.
import type { RequestStats } from "../../src/engine/stats.ts";
import type { RequestRecord } from "../../src/server/fetch-handler.ts";
import { formatRate } from "../terminal.ts";

export interface AccessLog {
  /** Writes the line, once the figures are there as well. */
  request(record: RequestRecord): void;
  stats(figures: RequestStats): void;
}

/** A request that ends before it has an answer leaves figures behind that nobody asks for; only the latest are kept. */
const MOST_UNCLAIMED = 256;

/** The engine and the handler each report a request when it ends, in either order. */
export function createAccessLog(write: (line: string) => void): AccessLog {
  const figuresOf = new Map<string, RequestStats>();
  const waiting = new Map<string, RequestRecord>();
  return {
    request(record) {
      const { completionId: id } = record;
      const figures = id === undefined ? undefined : figuresOf.get(id);
      if (id === undefined || figures) {
        if (figures) figuresOf.delete(figures.id);
        write(accessLine(new Date(), record, figures));
      } else waiting.set(id, record);
    },
    stats(figures) {
      const record = waiting.get(figures.id);
      if (record) {
        waiting.delete(figures.id);
        write(accessLine(new Date(), record, figures));
        return;
      }
      figuresOf.set(figures.id, figures);
      const [oldest] = figuresOf.keys();
      if (oldest !== undefined && figuresOf.size > MOST_UNCLAIMED) figuresOf.delete(oldest);
    },
  };
}

/** `2026-08-01T12:00:00.000Z POST /v1/chat/completions 200, 812 ms, tiny, 24 tokens in, 30 out, 41.2 tokens/s, stop, req_…` */
export function accessLine(time: Date, record: RequestRecord, figures?: RequestStats): string {
  const parts = [
    `${time.toISOString()} ${record.method} ${record.path} ${record.status}`,
    `${Math.round(record.durationMs)} ms`,
    record.model,
    figures && `${figures.promptTokens} tokens in, ${figures.completionTokens} out`,
    figures && formatRate(figures.completionTokens - 1, figures.decodeMs),
    record.errorCode ?? figures?.finish,
    record.requestId,
  ];
  const line = parts.filter((part) => part !== undefined).join(", ");
  return line.replace(/\p{Cc}/gu, "?"); // a model's name comes from its file, and must not begin another line
}
