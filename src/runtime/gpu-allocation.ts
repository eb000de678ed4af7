// A plan of memory carried out. The plan knows the budget, and only the driver what there is: when that refuses, once more with
// half the pages.
import { isEngineError } from "../base/errors.ts";
import type { Device } from "../gpu/device.ts";
import { createReadback, type Readback } from "../gpu/readback.ts";
import type { ModelSpec } from "../model/spec.ts";
import { type MemoryPlan, READS_IN_FLIGHT, shrinkMemory } from "./gpu-memory.ts";
import { allocateState, type GpuState } from "./gpu-state.ts";

export interface Allocated {
  readonly state: GpuState;
  readonly logitReads: Readback;
  readonly free: () => void;
}

/** @throws EngineError `out_of_memory`, with the numbers of the second try; `device_lost` */
export async function allocateMemory(device: Device, spec: ModelSpec, planned: MemoryPlan): Promise<Allocated> {
  try {
    return await allocate(device, spec, planned);
  } catch (error) {
    const smaller = isEngineError(error, "out_of_memory") ? shrinkMemory(device, spec, planned) : undefined;
    if (!smaller) throw error;
    return allocate(device, spec, smaller);
  }
}

async function allocate(device: Device, spec: ModelSpec, memory: MemoryPlan): Promise<Allocated> {
  const state = await allocateState(device, spec, memory);
  try {
    const logitReads = await createReadback(device, memory.scratch.readback, READS_IN_FLIGHT);
    const free = () => {
      logitReads.dispose();
      state.free();
    };
    return { state, logitReads, free };
  } catch (error) {
    state.free();
    throw error;
  }
}
