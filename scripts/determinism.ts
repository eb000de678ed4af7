// `npm run determinism -- [--model FILE] [--adapter NAME] [--prompts N] [--seeds N] [--tokens N]`: answers every prompt under every
// seed in all combinations of what must not matter, and counts the ids and the bits of logprobs that differ. Any: exit code 1.
import { parseArgs } from "node:util";
import { modelAtHand } from "../src/engine/model-opener.ts";
import { type Differences, describeCombination, runMatrix } from "../test/endurance/determinism.ts";
import { CommandError } from "./command-error.ts";
import { openDawn } from "./dawn.ts";
import { DEFAULT_MODEL_PATH } from "./default-model.ts";
import { openModelFiles } from "./model-files.ts";
import { yieldToAdapter } from "./yield-to-adapter.ts";

/** Words in each prompt: from less than a page to several segments. */
const WORDS = [100, 1, 40, 250, 4, 56, 190, 9, 72, 16, 140, 25];
const TEXT = (
  "In the morning the harbour lay under fog, and the fishermen who had come down to the quay stood about and spoke of " +
  "the weather, of prices, and of the one boat that had not come back. "
)
  .trim()
  .split(" ");
const SEEDS = [1, 2, -3, "9223372036854775807"];
const DEFAULT_TOKENS = 24;
const REPORT_EVERY_MS = 10_000;

export async function main(args: string[]): Promise<void> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: { model: text, adapter: text, prompts: text, seeds: text, tokens: text },
  });
  const promptCount = count("prompts", values.prompts, WORDS.length);
  const seedCount = count("seeds", values.seeds, SEEDS.length);
  const tokens = count("tokens", values.tokens, DEFAULT_TOKENS, 1000);

  const files = await openModelFiles(values.model ?? DEFAULT_MODEL_PATH);
  const dawn = await openDawn(values.adapter === undefined ? {} : { adapter: values.adapter });
  yieldToAdapter(dawn.name);
  console.log(`${promptCount} prompts, ${seedCount} seeds, ${tokens} tokens each, on ${dawn.name}`);
  try {
    const { rows, distinctAnswers } = await runMatrix({
      gpu: dawn.gpu,
      openModel: modelAtHand(files.source),
      prompts: WORDS.slice(0, promptCount).map(promptOf),
      seeds: SEEDS.slice(0, seedCount),
      tokens,
      onProgress: progressLines(),
    });
    for (const row of rows) console.log(lineOf(row));
    console.log(`${distinctAnswers} of the ${promptCount * seedCount} answers of the first run differ from each other`);
    const total = (pick: (row: Differences) => number) => rows.reduce((sum, row) => sum + pick(row), 0);
    const found = `${total(({ ids }) => ids)} ids and ${total(({ logprobBits }) => logprobBits)} logprobs differ`;
    console.log(`${found} in ${total(({ answers }) => answers)} answers`);
    if (total(({ ids, logprobBits, wrongCache }) => ids + logprobBits + wrongCache) > 0)
      throw new CommandError("answers depend on what they must not depend on");
  } finally {
    await files.close();
  }
}

/** Another beginning for each, so that no prompt is the prefix of another. */
function promptOf(words: number, index: number): string {
  return Array.from({ length: words }, (_, place) => TEXT[(place + index) % TEXT.length]).join(" ");
}

function lineOf({ combination, answers, ids, logprobBits, wrongCache, guessed }: Differences): string {
  const cache = wrongCache > 0 ? `, ${wrongCache} not ${combination.cache}` : "";
  const guesses = combination.speculation === "on" ? `, ${guessed} tokens guessed` : "";
  const found = `${ids} ids, ${logprobBits} logprobs differ${cache}${guesses}`;
  return `${answers} answers: ${found} (${describeCombination(combination)})`;
}

/** Says every few seconds how far it is, and how long the rest takes at the pace so far. */
function progressLines(): (done: number, total: number) => void {
  const start = performance.now();
  let last = start;
  return (done, total) => {
    const now = performance.now();
    if (now - last < REPORT_EVERY_MS) return;
    last = now;
    const left = ((now - start) / done) * (total - done);
    console.error(`${done} of ${total} answers, about ${Math.ceil(left / 60_000)} min left`);
  };
}

function count(name: string, given: string | undefined, standard: number, most = standard): number {
  const value = given === undefined ? standard : Number(given);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new CommandError(`--${name} takes a whole number from 1 to ${most}, not '${given}'`);
}
