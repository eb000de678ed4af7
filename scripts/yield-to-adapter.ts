// Leaves the cores to an adapter that computes on them. Dawn in Node asks for results in a loop on the main thread for as long as
// something is pending, and so keeps a core busy that the kernels could use: on two cores a decode step takes a third longer.
import { constants, setPriority } from "node:os";
import process from "node:process";

/** What is awaited of the adapter, by the class that has the method. */
const AWAITED = [
  ["GPUBuffer", "mapAsync"],
  ["GPUQueue", "onSubmittedWorkDone"],
  ["GPUDevice", "createComputePipelineAsync"],
] as const;

/** Short beside a step of the smallest model, long beside one round of Dawn's loop; systems round it up to 0.1 ms or so. */
const NAP_MS = 0.05;

let pending = 0;
let napping = false;
let yielding = false;
const never = new Int32Array(new SharedArrayBuffer(4));

/**
 * From now on the main thread sleeps between two rounds of Dawn's loop. It also takes a lower priority: below normal, not lowest,
 * since beside other busy processes the lowest starves. Call it once a device of a CPU adapter is open (its worker threads must
 * not inherit the priority); later calls do nothing.
 * @param adapterName as Dawn gives it: nothing is done for a GPU
 */
export function yieldToAdapter(adapterName: string): void {
  if (yielding || !/llvmpipe|swiftshader/i.test(adapterName)) return;
  yielding = true;
  try {
    setPriority(process.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Not allowed in some containers: slower, never wrong.
  }
  for (const [name, method] of AWAITED) napDuring(Reflect.get(globalThis, name).prototype, method);
}

function napDuring(prototype: object, method: string): void {
  const call = Reflect.get(prototype, method) as (...args: unknown[]) => Promise<unknown>;
  Reflect.set(prototype, method, function (this: unknown, ...args: unknown[]) {
    const result = call.apply(this, args);
    pending++;
    if (!napping) setImmediate(nap);
    napping = true;
    void result.then(settled, settled);
    return result;
  });
}

function settled(): void {
  pending--;
}

function nap(): void {
  napping = pending > 0;
  if (!napping) return;
  Atomics.wait(never, 0, 0, NAP_MS);
  setImmediate(nap);
}
