// npm run logits -- --model FILE --golden FILE [--adapter NAME] [--kv-cache TYPE] [--precision fast] [--variant NAME]:
// feeds golden token sequences once as prefill rows and once as decode steps, and prints one JSON line with the worse of both
// distances from the golden logprobs.
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { EngineError } from "../src/base/errors.ts";
import type { Gguf } from "../src/gguf/gguf.ts";
import { readGguf } from "../src/gguf/gguf.ts";
import { openDevice } from "../src/gpu/device.ts";
import { specOf } from "../src/model/architectures/index.ts";
import { createGpuRuntime, type GpuRuntimeOptions } from "../src/runtime/gpu-runtime.ts";
import { createReferenceRuntime } from "../src/runtime/reference-runtime.ts";
import type { Runtime, SequenceId } from "../src/runtime/runtime.ts";
import type { Tuner } from "../src/runtime/tuning/tuner.ts";
import { candidatesOf } from "../src/runtime/tuning/variants.ts";
import { CommandError } from "./command-error.ts";
import { openDawn } from "./dawn.ts";
import { openFileSource } from "./file-source.ts";
import { readKvCache } from "./kv-cache-flag.ts";
import { type GoldenTop, scoreLogits, worseScore } from "./logit-score.ts";
import { readPrecision } from "./precision-flag.ts";
import { yieldToAdapter } from "./yield-to-adapter.ts";

const USAGE =
  "usage: npm run logits -- --model FILE --golden FILE [--adapter lavapipe|swiftshader|reference|NAME] [--kv-cache f16|q8_0] [--precision exact|fast] [--variant NAME] [--case N]";

/** A prompt, the tokens that followed it, and the golden logprobs of each of those positions. */
interface GoldenCase {
  readonly prompt_ids: readonly number[];
  readonly greedy: readonly number[];
  readonly top_logprobs: readonly GoldenTop[];
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: "string" },
      golden: { type: "string" },
      adapter: { type: "string" },
      "kv-cache": { type: "string" },
      precision: { type: "string" },
      variant: { type: "string" }, // of every kernel that has it, in place of the adapter's own
      case: { type: "string" }, // one case only, counted from 0: the reference runtime takes minutes for all
    },
  });
  if (!values.model || !values.golden) throw new EngineError("invalid_request", USAGE);
  const { cases } = JSON.parse(await readFile(values.golden, "utf8")) as { cases: GoldenCase[] };
  const chosen = values.case === undefined ? cases : cases.slice(Number(values.case), Number(values.case) + 1);
  if (chosen.length === 0)
    throw new EngineError("invalid_request", `There is no case ${values.case} of ${cases.length}.`);
  const choices = {
    kvCache: readKvCache(values["kv-cache"]),
    precision: readPrecision(values.precision),
    tuner: values.variant === undefined ? undefined : decidedTuner(values.variant),
  };
  const longest = Math.max(...chosen.map(({ prompt_ids, greedy }) => prompt_ids.length + greedy.length));

  const source = await openFileSource(values.model);
  try {
    const { runtime, close } = await openRuntime(await readGguf(source), longest, values.adapter, choices);
    try {
      const goldens = chosen.flatMap(({ top_logprobs }) => top_logprobs);
      const prefilled = await collect(chosen, (golden) => prefillLogits(runtime, golden));
      const decoded = await collect(chosen, (golden) => decodeLogits(runtime, golden));
      console.log(JSON.stringify(worseScore(scoreLogits(prefilled, goldens), scoreLogits(decoded, goldens))));
    } finally {
      close();
    }
  } finally {
    await source.close();
  }
}

interface OpenRuntime {
  readonly runtime: Runtime;
  close(): void;
}

async function openRuntime(
  model: Gguf,
  contextLength: number,
  adapter: string | undefined,
  choices: Pick<GpuRuntimeOptions, "kvCache" | "precision" | "tuner">,
): Promise<OpenRuntime> {
  const spec = specOf(model);
  if (adapter === "reference") {
    if (choices.precision === "fast" || choices.tuner)
      throw new CommandError(
        "the reference runtime has one precision and no variants: leave --precision and --variant out",
      );
    const runtime = await createReferenceRuntime({ model, spec, contextLength, kv: choices.kvCache });
    return { runtime, close: () => runtime.dispose() };
  }
  const { gpu, name } = await openDawn(adapter === undefined ? {} : { adapter });
  console.error(`adapter: ${name}`);
  const device = await openDevice(gpu);
  yieldToAdapter(name);
  const runtime = await createGpuRuntime({ device, model, spec, contextLength, ...choices });
  const close = () => {
    runtime.dispose();
    device.dispose();
  };
  return { runtime, close };
}

function decidedTuner(variant: string): Tuner {
  return {
    platform: "decided",
    async choose({ adapter, classes }) {
      const having = classes.filter((kernels) => candidatesOf(kernels, adapter).includes(variant));
      if (having.length === 0) throw new CommandError(`no kernel has a variant ${variant} here`);
      return Object.fromEntries(having.map(({ name }) => [name, variant]));
    },
    measure: async () => {},
  };
}

async function collect(
  cases: readonly GoldenCase[],
  feed: (golden: GoldenCase) => Promise<Float32Array[]>,
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (const golden of cases) rows.push(...(await feed(golden)));
  return rows;
}

/** Everything as prefill rows; logits of the last `greedy.length` positions. */
async function prefillLogits(runtime: Runtime, { prompt_ids, greedy }: GoldenCase): Promise<Float32Array[]> {
  const sequence = runtime.open();
  const first = await prefill(runtime, sequence, prompt_ids, "last");
  const rest = await prefill(runtime, sequence, greedy.slice(0, -1), "all");
  runtime.free(sequence);
  return [...first, ...rest];
}

/** The prompt up to its last token as prefill rows, then one decode step for each token. */
async function decodeLogits(runtime: Runtime, { prompt_ids, greedy }: GoldenCase): Promise<Float32Array[]> {
  const sequence = runtime.open();
  await prefill(runtime, sequence, prompt_ids.slice(0, -1), "none");
  const rows: Float32Array[] = [];
  for (const id of [...prompt_ids.slice(-1), ...greedy.slice(0, -1)]) {
    const row = { sequence, input: { ids: [id] }, want: { logits: true, at: "last" } } as const;
    const result = await runtime.step({ stage: "decode", rows: [row] });
    rows.push(...result.rows[0]!.logits!);
  }
  runtime.free(sequence);
  return rows;
}

/** In steps of as many rows as the runtime takes; "last" wants the last of all. */
async function prefill(
  runtime: Runtime,
  sequence: SequenceId,
  ids: readonly number[],
  want: "none" | "last" | "all",
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  const limit = runtime.info.maxRows.prefill;
  for (let start = 0; start < ids.length; start += limit) {
    const isLast = start + limit >= ids.length;
    const wanted = want === "all" || (want === "last" && isLast) ? ({ logits: true, at: want } as const) : "none";
    const input = { ids: ids.slice(start, start + limit) };
    const result = await runtime.step({ stage: "prefill", rows: [{ sequence, input, want: wanted }] });
    rows.push(...(result.rows[0]!.logits ?? []));
  }
  return rows;
}
