// What a GPU runtime holds beside the weights: activations, KV pages and the arrays that tell kernels about a step.
import { type OwnedBuffer, type OwnedTexture, USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import { buildRopeTable } from "../kernels/rope-table.ts";
import type { Slot, Stage } from "../model/graph.ts";
import type { ModelSpec } from "../model/spec.ts";
import type { MemoryPlan } from "./gpu-memory.ts";
import { createStepBuffer, type StepBuffer } from "./step-buffer.ts";

export interface GpuState {
  readonly memory: MemoryPlan;
  /** Of each stage, since decode steps may come between the parts of a prefill: f32 [rows, width]. They share `logits`. */
  readonly slots: Readonly<Record<Stage, Readonly<Record<Slot, OwnedBuffer>>>>;
  /** f32 [logitRows, vocabSize] */
  readonly logits: OwnedBuffer;
  /** Keys and values, one buffer a layer. */
  readonly kv: readonly OwnedBuffer[];
  /** One page, on its way from one page to another: a buffer cannot be copied onto itself. */
  readonly pageScratch: OwnedBuffer;
  readonly step: StepBuffer;
  /** Where sampling leaves its results, and behind them for each page the token for the step that follows: see KernelRoom. */
  readonly sampled: OwnedBuffer | undefined;
  /** What decode attention leaves for its second half. */
  readonly partials: OwnedBuffer;
  /** The input of a product of prefill rows, for variants of mat-mul that read it as a texture. */
  readonly rowTexture: OwnedTexture | undefined;
  /** Cosines and sines of every position; empty until `writeRopeTable`. */
  readonly ropeTable: OwnedBuffer;
  /** `factors`: the file's divisors of the frequencies. */
  writeRopeTable(factors?: Float32Array): void;
  free(): void;
}

/** @throws EngineError `out_of_memory`, `device_lost` */
export async function allocateState(device: Device, spec: ModelSpec, memory: MemoryPlan): Promise<GpuState> {
  const { kv: kvPlan, scratch, contextLength } = memory;
  const owned: (OwnedBuffer | OwnedTexture)[] = [];
  const free = () => {
    for (const buffer of owned) buffer.free();
  };
  const create = async (label: string, byteLength: number, usage: number) => {
    const buffer = await device.buffers.create({ label, byteLength, usage });
    owned.push(buffer);
    return buffer;
  };
  const data = USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST;

  try {
    const logits = await create("logits", scratch.logits, data);
    const slotsOf = async (stage: Stage) => {
      const slots: Partial<Record<Slot, OwnedBuffer>> = { logits };
      for (const [slot, byteLength] of Object.entries(scratch.slots[stage])) {
        slots[slot as Slot] = await create(`${slot} of ${stage}`, byteLength, data);
      }
      return slots as Record<Slot, OwnedBuffer>;
    };
    const slots = { prefill: await slotsOf("prefill"), decode: await slotsOf("decode") };
    const kv: OwnedBuffer[] = [];
    for (let layer = 0; layer < spec.layerCount; layer++) {
      kv.push(await create(`keys and values of layer ${layer}`, kvPlan.pageCount * kvPlan.layerPageBytes, data));
    }
    const step = await createStepBuffer(device, memory.step, spec.vocabSize);
    owned.push(step.owned);
    const sampled = memory.gpuSampling ? await create("sampled tokens", scratch.sampled, data) : undefined;
    const partials = await create("partial attention", scratch.partials, data);
    const rowTexture =
      scratch.rowTexture > 0
        ? await device.buffers.createTexture({ label: "rows", byteLength: scratch.rowTexture })
        : undefined;
    if (rowTexture) owned.push(rowTexture);
    const ropeTable = await create("rope table", scratch.ropeTable, data);
    const pageScratch = await create("page scratch", scratch.pageScratch, data);
    return {
      memory,
      slots,
      logits,
      kv,
      pageScratch,
      step,
      sampled,
      partials,
      rowTexture,
      ropeTable,
      writeRopeTable(factors) {
        const { base, dimension, scaling } = spec.rope;
        const table = buildRopeTable({ base, dimension, scaling, ...(factors && { factors }) }, contextLength);
        device.buffers.write(ropeTable, table);
      },
      free,
    };
  } catch (error) {
    free();
    throw error;
  }
}
