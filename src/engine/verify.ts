// Verification of a draft on the CPU: each position is sampled in turn, as if the tokens before it had come one by one. Noise is
// keyed by position and logits do not depend on what is computed beside them, so the tokens are those of a run without a draft.
import type { SamplingPlan } from "../sampling/plan.ts";
import type { Sampled, Sampler } from "../sampling/sampler.ts";

/**
 * Samples as long as the draft is right. The last token that comes back is the first that is not in it, or comes after all of it.
 * What fails beyond a right token fails again in that token's own step, unless the answer ends before.
 * @param rows the logits after `sampled`, then those after each token of the draft, as many as were computed
 * @param history the answer so far; gets all that comes back but the last
 * @throws EngineError as Sampler.sample, of the first row
 */
export function verify(
  sampler: Sampler,
  plan: SamplingPlan,
  rows: readonly Float32Array[],
  draft: readonly number[],
  history: { readonly prompt: ArrayLike<number>; readonly sampled: number[] },
): Sampled[] {
  const out = [sampler.sample(rows[0]!, plan, history)];
  for (let place = 1; place < rows.length && out.at(-1)!.token === draft[place - 1]; place++) {
    history.sampled.push(draft[place - 1]!);
    try {
      out.push(sampler.sample(rows[place]!, plan, history));
    } catch {
      history.sampled.pop();
      break;
    }
  }
  return out;
}
