// wllama (llama.cpp in WebAssembly) on the CPU, measured by its own clock.
import type { LoadFigures, RoundFigures, RoundPlan } from "../contender.ts";

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

export async function openWllama(modelUrl: string, threads: number): Promise<WllamaBench> {
  const address = "/wllama/index.js"; // served from where the bench has installed it
  const { Wllama } = (await import(/* @vite-ignore */ address)) as {
    Wllama: new (paths: Record<string, string>, options: Record<string, unknown>) => Wllama;
  };
  const silent = { debug() {}, log() {}, warn() {}, error() {} };
  const start = performance.now();
  const wllama = new Wllama({ default: "/wllama/wasm/wllama.wasm" }, { logger: silent });
  wllama.setCompat(null); // never fetch anything from elsewhere
  const blob = await (await fetch(modelUrl)).blob();
  await wllama.loadModel([blob], { n_ctx: 1024, n_batch: 512, n_gpu_layers: 0, n_parallel: 1, n_threads: threads });
  const loadMs = performance.now() - start;

  const complete = async (prompt: string, tokens: number): Promise<Timings> => {
    const options = { prompt, max_tokens: tokens, temperature: 0, ignore_eos: true, cache_prompt: false };
    return (await wllama.createCompletion(options)).timings;
  };
  await complete(words(64), 4);
  return {
    load: { adapter: "WebAssembly", features: [], loadMs },
    async round(plan) {
      const prefill: RoundFigures["prefill"] = [];
      for (const tokens of plan.prefill) {
        const { prompt_n, prompt_per_second } = await complete(words(tokens), 1);
        if (Math.abs(prompt_n - tokens) > 2) throw new Error(`its prompt has ${prompt_n} tokens instead of ${tokens}`);
        prefill.push({ tokens, perSecond: prompt_per_second });
      }
      const { predicted_per_second } = await complete(words(8), plan.decode);
      return { prefill, decodePerSecond: predicted_per_second };
    },
  };
}

/** So many common words; each is one token. */
function words(count: number): string {
  const common = [" time", " year", " people", " way", " day", " man", " world", " life", " hand", " part"];
  return Array.from({ length: count }, (_, index) => common[index % common.length]).join("");
}
