// Logprobs of the prompt's own tokens, position by position, in the form that vLLM gives them.
import type { PromptLogprobs } from "../api/types.ts";
import { tokenLogprobs } from "../sampling/logprobs.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { PromptLogits } from "./lane.ts";

export interface PromptLogprobsReport {
  readonly onLogits: PromptLogits;
  /** Complete once all logits but the last, which belong to the answer, were taken. */
  result(): PromptLogprobs;
}

/** @param count alternatives at each position; the prompt's own token is always there */
export function createPromptLogprobs(
  prompt: Int32Array,
  count: number,
  tokenizer: Pick<Tokenizer, "label">,
): PromptLogprobsReport {
  const positions: PromptLogprobs = [null]; // nothing predicts the first token
  return {
    onLogits(rows, from) {
      rows.forEach((logits, offset) => {
        const next = prompt[from + offset + 1];
        if (next === undefined) return;
        const { logprob, rank, top } = tokenLogprobs(logits, next, count);
        const entries: NonNullable<PromptLogprobs[number]> = {};
        top.forEach((entry, place) => {
          entries[entry.token] = describe(entry.token, entry.logprob, place + 1);
        });
        entries[next] = describe(next, logprob, rank);
        positions[from + offset + 1] = entries; // a prompt that gave its memory away is fed from its beginning again
      });
    },
    result: () => positions,
  };

  function describe(token: number, logprob: number, rank: number) {
    return { logprob, rank, decoded_token: tokenizer.label(token) };
  }
}
