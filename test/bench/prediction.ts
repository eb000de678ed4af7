// A file of 400 tokens of which 10 are changed, written anew with the old file as the prediction and without it, in turns. The
// answer is what the model says by itself, greedily; its prediction is that text with ten words changed.
//   node scripts/run.mjs ../test/bench/prediction lavapipe|swiftshader|NAME [ROUNDS [TOKENS]]
import process from "node:process";
import { type NodeEngine, openNodeEngine } from "../../scripts/node-engine.ts";
import type { ChatCompletion } from "../../src/api/types.ts";
import { median } from "../../src/base/median.ts";
import type { RequestStats } from "../../src/engine/stats.ts";

export interface PredictionFigures {
  /** Tokens of the answer per second, from the first to the last. */
  readonly withoutPerSecond: number;
  readonly withPerSecond: number;
  readonly accepted: number;
  readonly rejected: number;
}

const CHANGES = 10;
const QUESTION = "Write a long TypeScript class for a shopping cart, with comments. Answer with the code alone.";

export async function main([adapter, rounds = "3", tokens = "400"]: string[]): Promise<void> {
  let last: RequestStats | undefined;
  const engine = await openNodeEngine({
    adapter,
    onStats: (stats) => {
      last = stats;
    },
  });
  try {
    const figures = await measurePrediction(
      engine,
      () => last!,
      Number(rounds),
      Number(tokens),
      (line) => {
        process.stderr.write(`${line}\n`);
      },
    );
    const { withoutPerSecond, withPerSecond, accepted, rejected } = figures;
    console.log(
      `${withoutPerSecond.toFixed(1)} tokens/s without, ${withPerSecond.toFixed(1)} with a prediction: ` +
        `x ${(withPerSecond / withoutPerSecond).toFixed(2)}; ${accepted} tokens of it accepted, ${rejected} rejected`,
    );
  } finally {
    await engine.dispose();
  }
}

/** Medians over the rounds. @param lastStats figures of the request that has just ended */
export async function measurePrediction(
  engine: NodeEngine,
  lastStats: () => RequestStats,
  rounds: number,
  tokens: number,
  say: (line: string) => void,
): Promise<PredictionFigures> {
  const ask = async (more: object): Promise<{ answer: ChatCompletion; perSecond: number }> => {
    const answer = await engine.chat.completions.create({
      model: engine.info.id,
      messages: [{ role: "user", content: QUESTION }],
      temperature: 0,
      max_tokens: tokens,
      ignore_eos: true,
      ...more,
    });
    await Promise.resolve(); // figures come in a task of their own
    const { completionTokens, decodeMs } = lastStats();
    return { answer, perSecond: (completionTokens - 1) / (decodeMs / 1000) };
  };
  const first = await ask({});
  const text = first.answer.choices[0]!.message.content!;
  const prediction = { prediction: { type: "content", content: withChanges(text) } };
  const without: number[] = [];
  const predicted: number[] = [];
  let details = first.answer.usage.completion_tokens_details;
  for (let round = 1; round <= rounds; round++) {
    const plain = await ask({});
    const quick = await ask(prediction);
    for (const { answer } of [plain, quick])
      if (answer.choices[0]!.message.content !== text) throw new Error("the answers differ");
    without.push(plain.perSecond);
    predicted.push(quick.perSecond);
    details = quick.answer.usage.completion_tokens_details;
    say(`round ${round} of ${rounds}: ${plain.perSecond.toFixed(1)} and ${quick.perSecond.toFixed(1)} tokens/s`);
  }
  return {
    withoutPerSecond: median(without),
    withPerSecond: median(predicted),
    accepted: details.accepted_prediction_tokens,
    rejected: details.rejected_prediction_tokens,
  };
}

/** Other words in ten places, each about as far from the next. */
function withChanges(text: string): string {
  const words = text.split(/(?<=\s)(?=\S)/);
  for (let change = 0; change < CHANGES; change++) {
    const place = Math.floor(((change + 0.5) * words.length) / CHANGES);
    words[place] = words[place]!.replace(/^\S+/, "other");
  }
  return words.join("");
}
