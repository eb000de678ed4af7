// The bench's page: Ingle and wllama, each opened once and then measured round after round by whoever drives the browser. By
// hand it measures Ingle alone.
import { httpSource } from "../../../src/storage/http-source.ts";
import type { LoadFigures, RoundFigures, RoundPlan } from "../contender.ts";
import { type Bench, openBench } from "../measure.ts";
import { drawBench } from "./view.ts";
import { openWllama, type WllamaBench } from "./wllama.ts";

const MODEL = "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
let ingle: Bench | undefined;
let wllama: WllamaBench | undefined;

/** With --enable-precise-memory-info it is exact, and counts array buffers. 0 where a browser does not tell. */
function heapBytes(): number {
  return (performance as unknown as { memory?: { usedJSHeapSize: number } }).memory?.usedJSHeapSize ?? 0;
}

const page = {
  async openIngle(plan: RoundPlan): Promise<LoadFigures> {
    ingle = await openBench(navigator.gpu, await httpSource(new URL(MODEL, location.href).href), plan, heapBytes);
    return ingle.load;
  },
  ingleRound: (plan: RoundPlan): Promise<RoundFigures> => ingle!.round(plan),
  async openWllama(threads: number, plan: RoundPlan): Promise<LoadFigures> {
    wllama = await openWllama(MODEL, threads, plan);
    return wllama.load;
  },
  wllamaRound: (plan: RoundPlan): Promise<RoundFigures> => wllama!.round(plan),
};

declare global {
  var bench: typeof page;
}
globalThis.bench = page;
drawBench(page);
