// The loop: prompt -> prefill -> sample -> text -> sample …, as events. The one code path for streamed and plain answers.
import type { ChatCompletionTokenLogprob } from "../api/types.ts";
import type { SamplingPlan } from "../sampling/plan.ts";
import type { Sampled } from "../sampling/sampler.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { createAnswerText, type Release } from "./answer-text.ts";
import type { Lane } from "./scheduler.ts";

export type GenerationEvent =
  /** Text, and the logprob entries that it is made of (empty when none were asked for). */
  | { readonly type: "text"; readonly text: string; readonly entries: readonly ChatCompletionTokenLogprob[] }
  /** A token was sampled: its time matters to the figures, its text may still be held back. */
  | { readonly type: "token" }
  | { readonly type: "finish"; readonly reason: "stop" | "length"; readonly completionTokens: number };

export interface GenerationInput {
  readonly prompt: Int32Array;
  readonly plan: SamplingPlan;
  /** Most tokens of the answer, at least 1; prompt and answer together fit the context. */
  readonly limit: number;
  readonly stops: readonly string[];
}

/**
 * One answer. The events come in order; exactly one `finish` is the last, unless an error is thrown. The end-of-turn token
 * is neither text nor counted.
 * @throws EngineError whatever a step throws, `numeric_fault`, `aborted`
 */
export async function* generate(
  lane: Lane,
  tokenizer: Tokenizer,
  { prompt, plan, limit, stops }: GenerationInput,
): AsyncGenerator<GenerationEvent, void> {
  const answer = createAnswerText(tokenizer, stops, plan.options.logprobs !== undefined);
  const sampled: number[] = [];
  const history = { prompt, sampled };

  let next: Sampled = await lane.prefill(prompt, plan, history);
  for (;;) {
    yield { type: "token" };
    if (tokenizer.endIds.has(next.token)) {
      yield* textOf(answer.flush());
      return yield { type: "finish", reason: "stop", completionTokens: sampled.length };
    }
    sampled.push(next.token);
    const { stopped, ...release } = answer.push(next);
    yield* textOf(release);
    if (stopped) return yield { type: "finish", reason: "stop", completionTokens: sampled.length };
    if (sampled.length === limit) {
      yield* textOf(answer.flush());
      return yield { type: "finish", reason: "length", completionTokens: sampled.length };
    }
    next = await lane.decode(next.token, plan, history);
  }
}

function* textOf({ text, entries }: Release): Generator<GenerationEvent, void> {
  if (text !== "" || entries.length > 0) yield { type: "text", text, entries };
}
