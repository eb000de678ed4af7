// Which tokens of a draft are right: each position is sampled in turn, as if the tokens before it had come one by one. Noise is
// keyed by position and logits do not depend on what is computed beside them, so the tokens are those of a run without a draft.
import { looksBack, type SamplingPlan } from "../sampling/plan.ts";
import type { Sampled, TokenHistory } from "../sampling/sampler.ts";

/**
 * Samples as long as the draft is right. The last token that comes back is the first that is not in it, or comes after all of it.
 * What fails beyond a right token fails again in that token's own step, unless the answer ends before.
 * @param draw gives what follows so many tokens of the draft
 * @throws what the first draw throws
 */
export function acceptDraft(draft: readonly number[], draw: (place: number) => Sampled): Sampled[] {
  const out = [draw(0)];
  while (out.length <= draft.length && out.at(-1)!.token === draft[out.length - 1]) {
    try {
      out.push(draw(out.length));
    } catch {
      break;
    }
  }
  return out;
}

/** The history once the first `place` tokens of the draft are part of it: of a plan that looks at no token, only its length. */
export function historyAfter(
  { prompt, sampled }: TokenHistory,
  draft: readonly number[],
  place: number,
  plan: SamplingPlan,
): TokenHistory {
  if (place === 0) return { prompt, sampled };
  if (!looksBack(plan)) return { prompt, sampled: { length: sampled.length + place } };
  return { prompt, sampled: [...Array.from(sampled), ...draft.slice(0, place)] };
}
