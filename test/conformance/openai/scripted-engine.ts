// The engine that the checks are run against in Node: a model that plays a script.
import type { EngineError } from "../../../src/base/errors.ts";
import { nextTask } from "../../../src/base/event-loop.ts";
import type { Script } from "../../engine/scripted-runtime.ts";
import { certain, END, scattered, TOKENIZER } from "../../engine/scripted-runtime.ts";
import { SMALLEST_VOCABULARY } from "../../fixtures/tiny-tokenizer.ts";
import { pause, until } from "./claims.ts";
import type { ScriptedWay } from "./way.ts";
import { GREETING } from "./way.ts";

/** Two of its characters take several tokens here. */
const REPLY = "Héllo 👋, wörld";
const REPLY_IDS = [...TOKENIZER.encode(REPLY), END];

/** Room for an answer of some seconds, at the pace below. */
const CONTEXT_LENGTH = 4096;
const STEP_MS = 1;

export interface ScriptedModel extends Pick<ScriptedWay, "greeting" | "failNext"> {
  readonly script: Script;
}

/** Says `REPLY` where it is greeted, and letters without an end elsewhere. */
export function scriptedModel(): ScriptedModel {
  const greeting = [...TOKENIZER.encode(GREETING)].join();
  let failure: EngineError | undefined;
  return {
    greeting: REPLY,
    failNext(error) {
      failure = error;
    },
    script: {
      contextLength: CONTEXT_LENGTH,
      maxSequences: 16,
      async beforeStep() {
        await pause(STEP_MS);
        const error = failure;
        failure = undefined;
        if (error) throw error;
      },
      logits: (ids, promptLength) => {
        const greeted = `,${ids.slice(0, promptLength).join()},`.includes(`,${greeting},`);
        return greeted ? certain(REPLY_IDS[ids.length - promptLength] ?? END) : letters(ids);
      },
    },
  };
}

/** Scattered logits over the tokens that are letters: pieces of text, and never the end. */
function letters(ids: readonly number[]): Float32Array {
  return scattered(ids).map((logit, id) => (id < SMALLEST_VOCABULARY ? -100 : logit));
}

/** After a check nothing may be open; while anything is left to come to its end, it is waited for. */
export async function untilIdle(runtime: { readonly openCount: number; readonly steps: readonly unknown[] }) {
  await until(() => runtime.openCount === 0);
  const before = runtime.steps.length;
  for (let turn = 0; turn < 20; turn++) await nextTask();
  return runtime.steps.length - before;
}
