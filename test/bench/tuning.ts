// What tuning chooses on one adapter for one model, what it takes, and what it gains: the model as the seeds have it beside the
// model as it was tuned, in interleaved rounds. CPU adapters are timed too, which they are not in an engine.
//   node scripts/run.mjs ../test/bench/tuning lavapipe|swiftshader|NAME [MODEL] [--timing MILLISECONDS]
import { parseArgs } from "node:util";
import { openDawn } from "../../scripts/dawn.ts";
import { DEFAULT_MODEL_PATH } from "../../scripts/default-model.ts";
import { openFileSource } from "../../scripts/file-source.ts";
import { yieldToAdapter } from "../../scripts/yield-to-adapter.ts";
import { median } from "../../src/base/median.ts";
import { readGguf } from "../../src/gguf/gguf.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { createGpuRuntime } from "../../src/runtime/gpu-runtime.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { Tuner } from "../../src/runtime/tuning/tuner.ts";
import { secondSession } from "./second-session.ts";

const ROUNDS = 5;
const PROMPT = 128;
const STEPS = 12;
const CONTEXT_LENGTH = 512;

export async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { timing: { type: "string" } } });
  const [adapter, path = DEFAULT_MODEL_PATH] = positionals;
  const dawn = await openDawn(adapter === undefined ? {} : { adapter });
  const device = await openDevice(dawn.gpu);
  yieldToAdapter(dawn.name);
  const model = await readGguf(await openFileSource(path));
  const load = (tuner?: Tuner) =>
    createGpuRuntime({ device, model, spec: specOf(model), contextLength: CONTEXT_LENGTH, tuner });

  console.log(dawn.name);
  const start = performance.now();
  const tuner = await secondSession(load, {
    adapters: "all",
    ...(values.timing !== undefined && { timingMs: Number(values.timing) }),
    onMeasured(name, best, runMs) {
      const times = Object.entries(runMs).map(([variant, ms]) => `${variant} ${ms.toFixed(3)}`);
      console.log(`${name}: ${best} of ${times.join(", ")} ms`);
    },
  });
  console.log(`loaded and measured in ${seconds(start)} s`);
  const tuned = await load(tuner);
  const seedStart = performance.now();
  const seeds = await load();
  console.log(`loaded in ${seconds(seedStart)} s`);
  console.log(tuned.info.fingerprint["variants"]);

  const rows = { seeds: figures(), tuned: figures() };
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, runtime] of [
      ["seeds", seeds],
      ["tuned", tuned],
    ] as const) {
      const { prefill, decode } = await rates(runtime);
      if (round === 0) continue; // the first run of a pipeline may compile
      rows[name].prefill.push(prefill);
      rows[name].decode.push(decode);
    }
  }
  for (const [name, { prefill, decode }] of Object.entries(rows))
    console.log(`${name}: prefill ${median(prefill).toFixed(1)}, decode ${median(decode).toFixed(1)} tok/s`);
  tuned.dispose();
  seeds.dispose();
  device.dispose();
}

function figures(): { prefill: number[]; decode: number[] } {
  return { prefill: [], decode: [] };
}

/** Tokens a second, of a prompt and of tokens one at a time behind it. */
async function rates(runtime: Runtime): Promise<{ prefill: number; decode: number }> {
  const sequence = runtime.open();
  const prefillStart = performance.now();
  for (let from = 0; from < PROMPT; from += runtime.info.maxRows.prefill) {
    const length = Math.min(runtime.info.maxRows.prefill, PROMPT - from);
    const ids = Array.from({ length }, (_, index) => 1000 + (((from + index) * 7919) % 30_000));
    await runtime.step({ stage: "prefill", rows: [{ sequence, input: { ids }, want: "none" }] });
  }
  const decodeStart = performance.now();
  for (let step = 0; step < STEPS; step++) {
    const row = { sequence, input: { ids: [1000 + step] }, want: { logits: true, at: "last" } } as const;
    await runtime.step({ stage: "decode", rows: [row] });
  }
  const end = performance.now();
  runtime.free(sequence);
  return {
    prefill: (PROMPT / (decodeStart - prefillStart)) * 1000,
    decode: (STEPS / (end - decodeStart)) * 1000,
  };
}

function seconds(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(1);
}
