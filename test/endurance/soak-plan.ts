// What the soak asks for: the `index`-th call of a seed is the same in every run.
import type { ErrorCode } from "../../src/base/errors.ts";
import { createRandom, type Random } from "../fixtures/random.ts";

export const CONTEXT_LENGTH = 512;

export interface PlannedCall {
  readonly index: number;
  readonly params: Readonly<Record<string, unknown>>;
  readonly stream: boolean;
  readonly ends: PlannedEnd;
}

/** How a call is to end. One that is aborted, or whose reader leaves, may have ended before. */
export type PlannedEnd =
  | { readonly kind: "whole" }
  /** The same request every time, whose answer has to be the same every time. */
  | { readonly kind: "canary" }
  | { readonly kind: "slow"; readonly firstPauseMs: number; readonly pauseMs: number }
  | { readonly kind: "abort"; readonly afterMs: number }
  | { readonly kind: "leave"; readonly afterChunks: number }
  | { readonly kind: "refused"; readonly code: ErrorCode };

/** Prefixes that calls share, each of several pages: more of them than the pool holds, so that some are always being dropped. */
const PREFIXES = Array.from(
  { length: 8 },
  (_, index) => `${index} ${"in the beginning was the word ".repeat(5 + index)}`,
);

const BAD: readonly { readonly fields: Readonly<Record<string, unknown>>; readonly code: ErrorCode }[] = [
  { fields: { temperature: 3 }, code: "invalid_request" },
  { fields: { messages: [] }, code: "invalid_request" },
  { fields: { n: 0 }, code: "invalid_request" },
  { fields: { model: "another" }, code: "model_not_found" },
  { fields: { max_tokens: CONTEXT_LENGTH }, code: "context_length_exceeded" },
];

export function plannedCall(seed: number, index: number): PlannedCall {
  const random = createRandom(seed * 1_000_003 + index);
  const ends = plannedEnd(random);
  if (ends.kind === "canary")
    return {
      index,
      ends,
      stream: random.below(2) === 0,
      params: { ...base("the canary"), n: 2, seed: 1, max_tokens: 8 },
    };
  const slow = ends.kind === "slow";
  const params = {
    ...base(random.pick(PREFIXES) + "x".repeat(random.below(40))),
    n: random.pick([1, 1, 1, 2, 3, 5, 20]),
    max_tokens: slow ? 100 : 1 + random.below(random.pick([4, 24, 60])),
    temperature: random.pick([0, 0.7, 1]),
    logprobs: random.below(3) === 0,
    service_tier: random.pick(["default", "default", "priority", "flex"]),
    ...(random.below(2) === 0 && { seed: random.below(1000) }),
    ...(random.below(12) === 0 && { prompt_logprobs: 1 }),
    ...(slow && { n: 1 + random.below(2) }),
  };
  const stream = slow || ends.kind === "leave" || random.below(2) === 0;
  if (ends.kind !== "refused") return { index, ends, stream, params };
  const { fields, code } = random.pick(BAD);
  return { index, stream, ends: { kind: "refused", code }, params: { ...params, ...fields } };
}

function base(content: string) {
  return { model: "model", messages: [{ role: "user" as const, content }], ignore_eos: true };
}

function plannedEnd(random: Random): PlannedEnd {
  const share = random.unit();
  if (share < 0.08) return { kind: "canary" };
  if (share < 0.18) return { kind: "slow", firstPauseMs: random.below(400), pauseMs: random.below(3) };
  if (share < 0.38) return { kind: "abort", afterMs: random.below(random.pick([5, 50, 500])) };
  if (share < 0.48) return { kind: "leave", afterChunks: 1 + random.below(20) };
  if (share < 0.56) return { kind: "refused", code: "invalid_request" };
  return { kind: "whole" };
}
