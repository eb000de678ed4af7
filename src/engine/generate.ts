// The loop: sample -> text -> decode -> sample …, as events. The one code path for streamed and plain answers.
import type { ChatCompletionTokenLogprob } from "../api/types.ts";
import type { SamplingPlan } from "../sampling/plan.ts";
import type { Sampled } from "../sampling/sampler.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { createAnswerText, type Release } from "./answer-text.ts";
import type { Drafter, PredictionCounts } from "./draft.ts";
import type { Lane } from "./lane.ts";

export type GenerationEvent =
  /** A token was sampled: its time matters to the figures, its text may still be held back. One that ends the answer does not count. */
  | { readonly type: "token"; readonly counts: boolean }
  /** Text, and the logprob entries that it is made of (empty when none were asked for). */
  | {
      readonly type: "text";
      readonly text: string;
      readonly entries: readonly ChatCompletionTokenLogprob[];
      /** Tokens sampled since the event before. */
      readonly ids: readonly number[];
    }
  | {
      readonly type: "finish";
      readonly reason: "stop" | "length";
      readonly completionTokens: number;
      readonly prediction: PredictionCounts;
      /** Tokens sampled since the event before, the one that ended the answer included. */
      readonly ids: readonly number[];
    };

export interface GenerationInput {
  /** The token after the prompt. */
  readonly first: Sampled;
  readonly plan: SamplingPlan;
  /** Most tokens of the answer, at least 1; prompt and answer together fit the context. */
  readonly limit: number;
  readonly stops: readonly string[];
  /** Tokens that end the answer. */
  readonly endIds: ReadonlySet<number>;
  readonly drafter: Drafter;
}

/**
 * One answer, on a lane that holds the prompt. The events come in order; exactly one `finish` is the last, unless an error is
 * thrown. A token that ends the answer is neither text nor counted.
 * @throws EngineError whatever a step throws, `numeric_fault`, `aborted`
 */
export async function* generate(
  lane: Lane,
  tokenizer: Tokenizer,
  { first, plan, limit, stops, endIds, drafter }: GenerationInput,
): AsyncGenerator<GenerationEvent, void> {
  const answer = createAnswerText(tokenizer, stops, plan.options.logprobs !== undefined);
  const sampled: number[] = [];
  let reported = 0;
  let last: number[] = [];

  function* textOf({ text, entries }: Release): Generator<GenerationEvent, void> {
    if (text === "" && entries.length === 0) return;
    yield { type: "text", text, entries, ids: sampled.slice(reported) };
    reported = sampled.length;
  }
  const finish = (reason: "stop" | "length"): GenerationEvent => ({
    type: "finish",
    reason,
    completionTokens: sampled.length,
    prediction: drafter.counts(sampled),
    ids: [...sampled.slice(reported), ...last],
  });

  for (let arrived: readonly Sampled[] = [first]; ; arrived = await decode()) {
    // Tokens of a draft that was right come together. Those after the answer's end are dropped here.
    for (const next of arrived) {
      lane.throwIfAborted();
      const ends = endIds.has(next.token);
      yield { type: "token", counts: !ends };
      if (ends) {
        last = [next.token];
        yield* textOf(answer.flush());
        return yield finish("stop");
      }
      sampled.push(next.token);
      const { stopped, ...release } = answer.push(next);
      yield* textOf(release);
      if (stopped) return yield finish("stop");
      if (sampled.length === limit) {
        yield* textOf(answer.flush());
        return yield finish("length");
      }
    }
  }

  async function decode(): Promise<readonly Sampled[]> {
    const left = limit - sampled.length;
    const room = Math.min(lane.draftRoom, left - 1); // one token comes without a draft
    const result = await lane.decode(sampled.at(-1)!, plan, drafter.draft(sampled, room), left);
    drafter.verified(result.drafted, result.sampled.length - 1);
    return result.sampled;
  }
}
