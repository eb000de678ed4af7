import { expect, test } from "vitest";
import { EngineError, type ErrorCode, isEngineError } from "../../src/base/errors.ts";
import { PendingCalls } from "../../src/base/pending.ts";

const TABLE: [ErrorCode, number, string][] = [
  ["invalid_request", 400, "invalid_request_error"],
  ["unsupported_parameter", 400, "invalid_request_error"],
  ["context_length_exceeded", 400, "invalid_request_error"],
  ["model_not_found", 404, "invalid_request_error"],
  ["rate_limit_exceeded", 429, "rate_limit_error"],
  ["device_lost", 500, "server_error"],
  ["out_of_memory", 500, "server_error"],
  ["model_not_loaded", 503, "server_error"],
];
for (const [code, status, type] of TABLE) {
  test(`${code} is ${status} ${type}, with all four keys`, () => {
    const error = new EngineError(code, "what happened");
    expect(error.status).toBe(status);
    expect(error.toOpenAI()).toEqual({ message: "what happened", type, param: null, code });
  });
}

test("a finer wire code and the field go out, the engine's own code stays to branch on", () => {
  const error = new EngineError("invalid_request", "too hot", {
    param: "temperature",
    wireCode: "decimal_above_max_value",
  });
  expect(error.toOpenAI()).toMatchObject({ param: "temperature", code: "decimal_above_max_value" });
  expect(isEngineError(error, "invalid_request")).toBe(true);
  expect(isEngineError(error, "aborted")).toBe(false);
  expect(isEngineError(new Error("x"))).toBe(false);
});

test("pending calls fail together, and later ones too, with the first failure", async () => {
  const calls = new PendingCalls();
  const never = new Promise<never>(() => {});
  const waiting = Promise.allSettled([calls.track(never), calls.track(never)]);
  expect(calls.size).toBe(2);
  calls.fail(new Error("first"));
  calls.fail(new Error("second"));
  for (const end of await waiting) expect(end).toMatchObject({ reason: { message: "first" } });
  await expect(calls.track(never)).rejects.toThrow("first");
  expect(calls.size).toBe(0);
});

test("calls that settle in time are no longer pending", async () => {
  const calls = new PendingCalls();
  expect(await calls.track(Promise.resolve(3))).toBe(3);
  await expect(calls.track(Promise.reject(new Error("own")))).rejects.toThrow("own");
  expect(calls.size).toBe(0);
});
