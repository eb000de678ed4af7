// wllama (llama.cpp in WebAssembly) on the CPU, measured by its own clock.
import { type LoadFigures, type RivalRound, type RoundFigures, type RoundPlan, rivalFigures } from "../contender.ts";
import { words } from "../requests.ts";

export interface WllamaBench {
  readonly load: LoadFigures;
  round(plan: RoundPlan): Promise<RoundFigures>;
}

/** What is used of wllama 3.8.1. */
interface Wllama {
  setCompat(compat: null): void;
  loadModel(blobs: Blob[], options: Record<string, unknown>): Promise<void>;
  createCompletion(options: Record<string, unknown>): Promise<{ timings: Timings }>;
}
interface Timings {
  prompt_n: number;
  prompt_per_second: number;
  predicted_per_second: number;
}

export async function openWllama(modelUrl: string, threads: number, plan: RoundPlan): Promise<WllamaBench> {
  const address = "/wllama/index.js"; // served from where the bench has installed it
  const { Wllama } = (await import(/* @vite-ignore */ address)) as {
    Wllama: new (paths: Record<string, string>, options: Record<string, unknown>) => Wllama;
  };
  const silent = { debug() {}, log() {}, warn() {}, error() {} };
  const start = performance.now();
  const wllama = new Wllama({ default: "/wllama/wasm/wllama.wasm" }, { logger: silent });
  wllama.setCompat(null); // never fetch anything from elsewhere
  const blob = await (await fetch(modelUrl)).blob();
  const contextLength = Math.max(...plan.prefill, ...plan.depths) + SPARE_TOKENS;
  const options = { n_ctx: contextLength, n_batch: 512, n_gpu_layers: 0, n_parallel: 1, n_threads: threads };
  await wllama.loadModel([blob], options);
  const loadMs = performance.now() - start;

  const complete = async (prompt: string, tokens: number, cached = false): Promise<Timings> => {
    const options = { prompt, max_tokens: tokens, temperature: 0, ignore_eos: true, cache_prompt: cached };
    return (await wllama.createCompletion(options)).timings;
  };
  await complete(words(64), 4);
  return {
    load: { adapter: "WebAssembly", features: [], loadMs },
    async round(plan) {
      const prefill: Record<number, number> = {};
      const firstToken: Record<number, number> = {};
      const decode: Record<number, number> = {};
      for (const tokens of plan.prefill) {
        const asked = performance.now();
        const { prompt_n, prompt_per_second } = await complete(words(tokens), 1);
        if (Math.abs(prompt_n - tokens) > 2) throw new Error(`its prompt has ${prompt_n} tokens instead of ${tokens}`);
        firstToken[tokens] = (performance.now() - asked) / 1000;
        prefill[tokens] = prompt_per_second;
      }
      // The deepest first: the others find what they need of it cached.
      for (const depth of [...plan.depths, 0].sort((a, b) => b - a))
        decode[depth] = (await complete(words(depth || SHALLOW), plan.decode, true)).predicted_per_second;
      return rivalFigures({ prefill, firstToken, decode } satisfies RivalRound);
    },
  };
}

/** Tokens before those that are decoded "at 0": something has to come first. */
const SHALLOW = 8;
const SPARE_TOKENS = 256;
