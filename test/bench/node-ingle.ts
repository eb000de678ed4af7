// Ingle in Node, on one of Dawn's adapters: the child's side.
import { openDawn } from "../../scripts/dawn.ts";
import { openFileSource } from "../../scripts/file-source.ts";
import { yieldToAdapter } from "../../scripts/yield-to-adapter.ts";
import { serveContender } from "./child-contender.ts";
import { type Bench, openBench } from "./measure.ts";

/** Names the system's best GPU, whose name as it gives it finds it not. */
export const GPU = "gpu";

/** @param adapter as openDawn takes it, or GPU */
export function serveNodeIngle(adapter: string, modelPath: string): Promise<void> {
  let bench: Bench | undefined;
  const heapBytes = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  return serveContender({
    async open(plan) {
      const { gpu, name } = await openDawn(adapter === GPU ? {} : { adapter });
      bench = await openBench(gpu, await openFileSource(modelPath), plan, heapBytes);
      yieldToAdapter(name);
      return bench.load;
    },
    round: (plan) => bench!.round(plan),
  });
}
