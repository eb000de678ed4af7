// The choices of one request over its lanes: as many at once as there are lanes, and the rest as lanes come free.

import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";

/**
 * Runs `work` once for each choice, on a lane that holds the prompt and nothing after it. Results are in order of the choices.
 * After a failure no further choice is begun, `onFailure` is called so that the others can be ended, and the first error is
 * thrown when all have.
 */
export async function forEachChoice<Result>(
  count: number,
  lanes: Lanes,
  onFailure: () => void,
  work: (lane: Lane, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  let failure: { readonly error: unknown } | undefined;

  async function take(lane: Lane): Promise<void> {
    try {
      for (let turn = 0; next < count && !failure; turn++) {
        const index = next++;
        if (turn > 0) await lane.rewind();
        results[index] = await work(lane, index);
      }
      lane.release(); // its memory is for the others
    } catch (error) {
      failure ??= { error };
      onFailure();
    }
  }

  const open = [lanes.first];
  while (open.length < Math.min(count, lanes.width)) open.push(await lanes.fork());
  await Promise.all(open.map(take));
  if (failure) throw failure.error;
  return results;
}
