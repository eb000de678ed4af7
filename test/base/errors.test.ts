import { expect, test } from "vitest";
import { EngineError, type ErrorCode, isEngineError } from "../../src/base/errors.ts";
import { PendingCalls } from "../../src/base/pending.ts";

const REQUEST = "invalid_request_error";
const SERVER = "server_error";

/** Every code's status, type and, where a retry helps, the seconds to wait. The `openai` package names its classes by status. */
const TABLE: Record<ErrorCode, [status: number, type: string, retryAfter?: number]> = {
  invalid_request: [400, REQUEST],
  unsupported_parameter: [400, REQUEST],
  context_length_exceeded: [400, REQUEST],
  invalid_api_key: [401, REQUEST],
  unknown_url: [404, REQUEST],
  method_not_supported: [405, REQUEST],
  request_too_large: [413, REQUEST],
  model_not_found: [404, REQUEST],
  model_not_loaded: [503, SERVER],
  unsupported_architecture: [400, REQUEST],
  unsupported_format: [400, REQUEST],
  model_malformed: [400, REQUEST],
  integrity_mismatch: [500, SERVER],
  source_changed: [500, SERVER],
  download_failed: [502, SERVER],
  quota_exceeded: [507, SERVER],
  storage_unavailable: [500, SERVER],
  webgpu_unavailable: [500, SERVER],
  out_of_memory: [500, SERVER],
  device_lost: [500, SERVER],
  numeric_fault: [500, SERVER],
  template_error: [400, REQUEST],
  unsupported_schema: [400, REQUEST],
  budget_exceeded: [400, REQUEST],
  grammar_dead_end: [500, SERVER],
  rate_limit_exceeded: [429, "rate_limit_error", 1],
  worker_crashed: [500, SERVER],
  aborted: [499, REQUEST],
  disposed: [503, SERVER],
};
for (const [code, [status, type, retryAfter]] of Object.entries(TABLE)) {
  test(`${code} is ${status} ${type}, with all four keys`, () => {
    const error = new EngineError(code as ErrorCode, "what happened");
    expect(error).toMatchObject({ status, retryAfter });
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
