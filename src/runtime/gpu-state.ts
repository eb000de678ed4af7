// What a GPU runtime holds beside the weights: activations, KV pages and the arrays that tell kernels about a step.
import { type OwnedBuffer, USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import { buildRopeTable } from "../kernels/rope-table.ts";
import type { Slot } from "../model/graph.ts";
import type { ModelSpec } from "../model/spec.ts";
import type { MemoryPlan } from "./gpu-memory.ts";
import type { StepPlan } from "./step-plan.ts";

export interface GpuState {
  readonly memory: MemoryPlan;
  /** Activations, f32 [rows, width]; `logits` is [logitRows, vocabSize]. */
  readonly slots: Readonly<Record<Slot, OwnedBuffer>>;
  /** Keys and values, one buffer a layer. */
  readonly kv: readonly OwnedBuffer[];
  /** One page, on its way from one page to another: a buffer cannot be copied onto itself. */
  readonly pageScratch: OwnedBuffer;
  /** `Step` of every kernel: rowCount, wantCount. */
  readonly step: OwnedBuffer;
  /** [rows]: token id, position, page table offset, 0. */
  readonly rows: OwnedBuffer;
  readonly pages: OwnedBuffer;
  /** [logitRows]: rows whose logits are wanted. */
  readonly wanted: OwnedBuffer;
  /** What decode attention leaves for its second half. */
  readonly partials: OwnedBuffer;
  /** Cosines and sines of every position; empty until `writeRopeTable`. */
  readonly ropeTable: OwnedBuffer;
  /** `factors`: the file's divisors of the frequencies. */
  writeRopeTable(factors?: Float32Array): void;
  writeStep(plan: StepPlan): void;
  /** The wanted rows `from` up to `to` of the plan, for the next run of the head. */
  writeWanted(plan: StepPlan, from: number, to: number): void;
  free(): void;
}

/** @throws EngineError `out_of_memory`, `device_lost` */
export async function allocateState(device: Device, spec: ModelSpec, memory: MemoryPlan): Promise<GpuState> {
  const { kv: kvPlan, scratch, contextLength } = memory;
  const owned: OwnedBuffer[] = [];
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
    const slots: Partial<Record<Slot, OwnedBuffer>> = {};
    for (const [slot, byteLength] of Object.entries(scratch.slots)) {
      slots[slot as Slot] = await create(slot, byteLength, data);
    }
    const kv: OwnedBuffer[] = [];
    for (let layer = 0; layer < spec.layerCount; layer++) {
      kv.push(await create(`keys and values of layer ${layer}`, kvPlan.pageCount * kvPlan.layerPageBytes, data));
    }
    const step = await create("step", 16, USAGE.UNIFORM | USAGE.COPY_DST);
    const rows = await create("rows", scratch.rows, data);
    const pages = await create("page tables", scratch.pages, data);
    const wanted = await create("wanted rows", scratch.wanted, data);
    const partials = await create("partial attention", scratch.partials, data);
    const ropeTable = await create("rope table", scratch.ropeTable, data);
    const pageScratch = await create("page scratch", scratch.pageScratch, data);
    return {
      memory,
      slots: slots as Record<Slot, OwnedBuffer>,
      kv,
      pageScratch,
      step,
      rows,
      pages,
      wanted,
      partials,
      ropeTable,
      writeRopeTable(factors) {
        const { base, dimension, scaling } = spec.rope;
        const table = buildRopeTable({ base, dimension, scaling, ...(factors && { factors }) }, contextLength);
        device.buffers.write(ropeTable, table);
      },
      writeStep(plan) {
        device.buffers.write(rows, plan.rows);
        device.buffers.write(pages, plan.pages);
        device.buffers.write(step, new Uint32Array([plan.rowCount, 0, 0, 0]));
      },
      writeWanted(plan, from, to) {
        device.buffers.write(wanted, plan.wanted.subarray(from, to));
        device.buffers.write(step, new Uint32Array([plan.rowCount, to - from, 0, 0]));
      },
      free,
    };
  } catch (error) {
    free();
    throw error;
  }
}
