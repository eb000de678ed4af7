// Garbage collection on demand, for tests of what happens to things that were thrown away.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { nextTask } from "../../src/base/event-loop.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const MOST_COLLECTIONS = 50;

/** Collects, with turns of the event loop between, in which finalizers run: until something is so, or for long enough. */
export async function collectUntil(done: () => boolean): Promise<void> {
  for (let i = 0; i < MOST_COLLECTIONS && !done(); i++) {
    collect();
    await nextTask();
  }
}
