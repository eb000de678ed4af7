// `npm run soak -- [--minutes N] [--seed S] [--model FILE] [--adapter NAME] [--lose-every ROUNDS] [--patience SECONDS]`: calls of
// every kind to one engine for so long. A call that hangs or ends wrongly, GPU memory that stays held and a heap that grows by more
// than 5 MB per 1,000 calls are failures: exit code 1, with what is needed to see it again.
import { parseArgs } from "node:util";
import { modelAtHand } from "../src/engine/model-opener.ts";
import { memorySource } from "../src/storage/byte-source.ts";
import { runSoak, type SoakReport } from "../test/endurance/soak.ts";
import { tinyModel } from "../test/fixtures/tiny-models.ts";
import { CommandError } from "./command-error.ts";
import { openDawn } from "./dawn.ts";
import { openModelFiles } from "./model-files.ts";
import { yieldToAdapter } from "./yield-to-adapter.ts";

const MOST_GROWTH = 5; // MB per 1,000 calls
/** Fewer say nothing: the heap of a single round is off by a megabyte. */
const LEAST_SAMPLES = 8;
const REPORT_EVERY_MS = 10_000;

export async function main(args: string[]): Promise<void> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: { minutes: text, seed: text, model: text, adapter: text, "lose-every": text, patience: text },
  });
  const minutes = number("minutes", values.minutes ?? "10");
  const seed = number("seed", values.seed ?? String(Date.now() % 2 ** 20));
  const patience = number("patience", values.patience ?? "120");
  const lossEvery = values["lose-every"] === undefined ? undefined : number("lose-every", values["lose-every"]);

  const dawn = await openDawn(values.adapter === undefined ? {} : { adapter: values.adapter });
  yieldToAdapter(dawn.name);
  const files = values.model === undefined ? undefined : await openModelFiles(values.model);
  const tiny = () => memorySource(tinyModel({ tokenizer: true, format: "Q4_0", contextLength: 512, seed: 7 }));
  console.log(`seed ${seed}, ${minutes} minutes, ${values.model ?? "a tiny model"} on ${dawn.name}`);
  let last = performance.now();
  try {
    const report = await runSoak({
      gpu: dawn.gpu,
      openModel: modelAtHand(files?.source ?? { files: [tiny()] }),
      seed,
      durationMs: minutes * 60_000,
      patienceMs: patience * 1000,
      ...(lossEvery !== undefined && { lossEvery }),
      onRound(soFar) {
        if (performance.now() - last < REPORT_EVERY_MS) return;
        last = performance.now();
        console.error(lineOf(soFar));
      },
    });
    console.log(lineOf(report));
    for (const [end, count] of [...report.ends].sort(([, a], [, b]) => b - a)) console.log(`  ${count} × ${end}`);
    console.log(`GPU memory after every round: ${report.ledgerBytes} bytes, as after loading`);
    for (const failure of report.failures) console.log(failure);
    if (report.failures.length > 0) throw new CommandError(`failed under seed ${seed}`);
    if (report.samples.length >= LEAST_SAMPLES && report.heapGrowth > MOST_GROWTH)
      throw new CommandError(`the heap grows by ${report.heapGrowth.toFixed(2)} MB per 1,000 calls`);
  } finally {
    await files?.close();
  }
}

function lineOf({ calls, rounds, failures, samples, heapGrowth }: SoakReport): string {
  const heap = samples.at(-1);
  const growth = heap ? `, heap ${(heap.bytes / 1e6).toFixed(1)} MB, ${heapGrowth.toFixed(2)} MB per 1,000 calls` : "";
  return `${calls} calls in ${rounds} rounds, ${failures.length} failures${growth}`;
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new CommandError(`--${name} takes a number above 0, not '${text}'`);
}
