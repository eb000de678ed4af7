// What a session knows whose user was here before: an engine measures its kernels when it has nothing to do, for the next one.
import type { Runtime } from "../../src/runtime/runtime.ts";
import { createTuner, type Tuner, type TunerOptions } from "../../src/runtime/tuning/tuner.ts";
import { memoryTuningStore } from "../fixtures/memory-tuning-store.ts";

/** Loads a model, waits until all is measured that there is time for, and gives the tuner of a session after that, which measures nothing. */
export async function secondSession(
  load: (tuner: Tuner) => Promise<Runtime>,
  options: Omit<TunerOptions, "platform" | "store"> = {},
): Promise<Tuner> {
  const store = memoryTuningStore();
  const open = () => createTuner({ platform: "bench", store, ...options });
  const tuner = open();
  let measured: Promise<void> | undefined;
  const runtime = await load({
    ...tuner,
    measure(subject, tools) {
      measured = tuner.measure(subject, tools);
      return measured;
    },
  });
  try {
    await measured;
  } finally {
    runtime.dispose();
  }
  return { ...open(), measure: async () => {} };
}
