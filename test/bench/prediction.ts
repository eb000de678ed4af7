// A text of 400 tokens of which 10 words are changed, written anew with the old text as the prediction and without it, in turns.
// Beside the tokens per second stand the milliseconds of processor time of a token, which on a CPU adapter hardly move when the
// machine is busy.
//   node scripts/run.mjs ../test/bench/prediction lavapipe|swiftshader|NAME [ROUNDS [TOKENS [MODEL]]]
import process from "node:process";
import { type NodeEngine, openNodeEngine } from "../../scripts/node-engine.ts";
import type { ChatCompletion } from "../../src/api/types.ts";
import { median } from "../../src/base/median.ts";
import type { RequestStats } from "../../src/engine/stats.ts";
import { editedStory, storyRequest } from "./edited-text.ts";

/** Of one answer, from its first token to its last. */
interface Pace {
  readonly perSecond: number;
  /** Of all threads, for each token; its short prefill included. */
  readonly processorMs: number;
}

interface PredictionFigures {
  readonly without: Pace;
  readonly predicted: Pace;
  readonly accepted: number;
  readonly rejected: number;
}

export async function main([adapter, rounds = "3", tokens = "400", path]: string[]): Promise<void> {
  let last: RequestStats | undefined;
  const engine = await openNodeEngine({
    adapter,
    models: path === undefined ? undefined : [{ path, contextLength: 1024 }],
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
    const { without, predicted, accepted, rejected } = figures;
    const line = ({ perSecond, processorMs }: Pace) =>
      `${perSecond.toFixed(1)} tokens/s (${processorMs.toFixed(1)} ms of processor time each)`;
    console.log(`without: ${line(without)}; with a prediction: ${line(predicted)}`);
    console.log(
      `x ${(predicted.perSecond / without.perSecond).toFixed(2)} by the clock, ` +
        `x ${(without.processorMs / predicted.processorMs).toFixed(2)} by processor time; ` +
        `${accepted} tokens of the prediction accepted, ${rejected} rejected`,
    );
  } finally {
    await engine.dispose();
  }
}

/** Medians over the rounds. @param lastStats figures of the request that has just ended */
async function measurePrediction(
  engine: NodeEngine,
  lastStats: () => RequestStats,
  rounds: number,
  tokens: number,
  say: (line: string) => void,
): Promise<PredictionFigures> {
  const ask = async (more: object): Promise<{ answer: ChatCompletion; pace: Pace }> => {
    const before = process.cpuUsage();
    const answer = await engine.chat.completions.create({
      ...storyRequest(engine.info.id, tokens),
      ...more,
    });
    await Promise.resolve(); // figures come in a task of their own
    const { completionTokens, decodeMs } = lastStats();
    const { user, system } = process.cpuUsage(before);
    return {
      answer,
      pace: {
        perSecond: (completionTokens - 1) / (decodeMs / 1000),
        processorMs: (user + system) / 1000 / completionTokens,
      },
    };
  };
  const first = await ask({});
  const text = first.answer.choices[0]!.message.content!;
  const without: Pace[] = [];
  const predicted: Pace[] = [];
  let details = first.answer.usage.completion_tokens_details;
  for (let round = 1; round <= rounds; round++) {
    const plain = await ask({});
    const quick = await ask(editedStory(text, tokens));
    for (const { answer } of [plain, quick])
      if (answer.choices[0]!.message.content !== text) throw new Error("the answers differ");
    without.push(plain.pace);
    predicted.push(quick.pace);
    details = quick.answer.usage.completion_tokens_details;
    const speeds = [plain, quick].map(
      ({ pace }) => `${pace.perSecond.toFixed(1)} tokens/s, ${pace.processorMs.toFixed(1)} ms`,
    );
    say(`round ${round} of ${rounds}: ${speeds.join(" and ")}`);
  }
  return {
    without: medianPace(without),
    predicted: medianPace(predicted),
    accepted: details.accepted_prediction_tokens,
    rejected: details.rejected_prediction_tokens,
  };
}

function medianPace(paces: readonly Pace[]): Pace {
  return {
    perSecond: median(paces.map(({ perSecond }) => perSecond)),
    processorMs: median(paces.map(({ processorMs }) => processorMs)),
  };
}
