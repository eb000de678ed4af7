// A scripted runtime whose sequences live in pages, few enough to run out of, and whose answers take turns to come.
import { nextTask } from "../../src/base/event-loop.ts";
import { createKvPages, type KvPages } from "../../src/runtime/kv-pages.ts";
import type { Runtime, SequenceId } from "../../src/runtime/runtime.ts";
import type { Random } from "../fixtures/random.ts";
import { createScriptedRuntime, type ScriptedRuntime, scattered } from "./scripted-runtime.ts";

export const PAGE_LENGTH = 64;

export interface Paged {
  readonly scripted: ScriptedRuntime;
  readonly pages: KvPages;
}

/** Its pages say what is still held; asking for a sequence that is not open fails the test. */
export function createPagedRuntime(
  pageCount: number,
  random: Random,
  logits = scattered,
  stepsInFlight = 1,
): Paged & { readonly runtime: Runtime } {
  const scripted = createScriptedRuntime({
    logits,
    stepsInFlight,
    maxSequences: 6,
    prefillRows: 48,
    async beforeStep(_, { rows, stage }) {
      await aWhile();
      pages.append(
        rows.map(({ sequence, input }) => ({
          sequence: pageOf(sequence),
          ids: "ids" in input ? input.ids : [0],
          made: stage,
        })),
      );
    },
  });
  const pages = createKvPages({ pageCount, maxSequences: 6, pageBytes: 1 });
  const held = new Map<SequenceId, number>();
  /** Sometimes at once, sometimes turns later. */
  const aWhile = async () => {
    for (let turns = random.below(4) - 1; turns > 0; turns--) await nextTask();
  };
  const pageOf = (sequence: SequenceId) => {
    const found = held.get(sequence);
    if (found === undefined) throw new Error(`sequence ${sequence} is not open`);
    return found;
  };
  const runtime: Runtime = {
    ...scripted,
    open() {
      const sequence = scripted.open();
      held.set(sequence, pages.open());
      return sequence;
    },
    async fork(sequence) {
      await aWhile();
      const copy = pages.fork(pageOf(sequence));
      const forked = await scripted.fork(sequence);
      held.set(forked, copy);
      return forked;
    },
    async rewind(sequence, length) {
      await aWhile();
      pages.rewind(pageOf(sequence), length);
      return scripted.rewind(sequence, length);
    },
    free(sequence) {
      if (scripted.disposed) return;
      pages.free(pageOf(sequence));
      held.delete(sequence);
      scripted.free(sequence);
    },
    dispose: () => scripted.dispose(),
  };
  return { runtime, scripted, pages };
}
