// One line a request: its parts, and that figures and record meet in either order.
import { expect, test } from "vitest";
import { accessLine, createAccessLog } from "../../../scripts/serve/access-line.ts";
import type { RequestStats } from "../../../src/engine/stats.ts";
import type { RequestRecord } from "../../../src/server/fetch-handler.ts";

const RECORD: RequestRecord = {
  requestId: "req_1",
  method: "POST",
  path: "/v1/chat/completions",
  status: 200,
  streamed: true,
  durationMs: 812.4,
  completionId: "chatcmpl-1",
  model: "tiny",
  usage: undefined,
  errorCode: undefined,
};
const FIGURES: RequestStats = {
  id: "chatcmpl-1",
  promptTokens: 24,
  cachedTokens: 0,
  completionTokens: 31,
  queuedMs: 0,
  prefillMs: 62,
  firstTokenMs: 62,
  decodeMs: 750,
  finish: "stop",
};
const TIME = new Date(Date.UTC(2026, 7, 1, 12));

test.each<[string, Partial<RequestRecord>, RequestStats | undefined, string]>([
  ["an answer", {}, FIGURES, "200, 812 ms, tiny, 24 tokens in, 31 out, 40.0 tokens/s, stop, req_1"],
  ["one token has no rate", {}, { ...FIGURES, completionTokens: 1 }, "200, 812 ms, tiny, 24 tokens in, 1 out, stop, req_1"],
  ["an answer cut off", { errorCode: "disposed" }, FIGURES, "200, 812 ms, tiny, 24 tokens in, 31 out, 40.0 tokens/s, disposed, req_1"],
  ["a refusal", { status: 401, model: undefined, errorCode: "invalid_api_key" }, undefined, "401, 812 ms, invalid_api_key, req_1"],
  ["a name that would begin a line", { model: "a\nb" }, undefined, "200, 812 ms, a?b, req_1"],
])("%s", (_, record, figures, expected) => {
  const line = accessLine(TIME, { ...RECORD, ...record }, figures);
  expect(line).toBe(`2026-08-01T12:00:00.000Z POST /v1/chat/completions ${expected}`);
}); // biome-ignore format: one table, a line a row

test("figures and record meet in either order, and each request gets one line", () => {
  const lines: string[] = [];
  const log = createAccessLog((line) => lines.push(line.replace(/^\S+ /, "")));
  const other = { ...RECORD, completionId: "chatcmpl-2", requestId: "req_2" };
  log.stats(FIGURES);
  log.request(other);
  expect(lines).toEqual([]);
  log.request(RECORD);
  log.stats({ ...FIGURES, id: "chatcmpl-2", finish: "length" });
  expect(lines.map((line) => line.split(", ").slice(-2))).toEqual([
    ["stop", "req_1"],
    ["length", "req_2"],
  ]);
});
