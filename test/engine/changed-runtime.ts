// An engine over scripted runtimes of which a test may replace any method, and ways to wait without a clock.
import { nextTask } from "../../src/base/event-loop.ts";
import { openEngine } from "../../src/engine/engine.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { RuntimeHost } from "../../src/engine/runtime-host.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import {
  certain,
  createScriptedRuntime,
  MODEL,
  type Script,
  type ScriptedRuntime,
  TOKENIZER,
} from "./scripted-runtime.ts";

const LETTER = TOKENIZER.encode("a")[0]!;
export const ENDLESS: Script = { logits: () => certain(LETTER) };
export const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], seed: 5 };
export const OPEN = modelAtHand({ files: [memorySource(MODEL, "tiny.gguf")] });

/** So many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask();
}

/** A promise to hold something with. */
export function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

/** An engine over runtimes of which every method can be replaced. */
export async function openWith(change: (runtime: ScriptedRuntime) => Partial<Runtime>, script: Script = ENDLESS) {
  const hosts: { disposed: boolean }[] = [];
  const runtimes: ScriptedRuntime[] = [];
  const openHost = async (): Promise<RuntimeHost> => {
    const host = { disposed: false };
    hosts.push(host);
    return {
      adapter: "script",
      features: [],
      plan: () => ({
        bytes: 0,
        async create() {
          const runtime = createScriptedRuntime(script);
          runtimes.push(runtime);
          return { ...runtime, ...change(runtime) };
        },
      }),
      dispose() {
        host.disposed = true;
      },
    };
  };
  return { engine: await openEngine({ openHost }), hosts, runtimes };
}
