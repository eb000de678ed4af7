// What a GPU runtime holds beside the weights: activations, KV pages and the arrays that tell kernels about a step.
import { EngineError } from "../base/errors.ts";
import { type OwnedBuffer, USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import { decodeChunks, partialsLength } from "../kernels/attention-decode.ts";
import { PAGE_LENGTH } from "../kernels/kv-layout.ts";
import { buildRopeTable } from "../kernels/rope-table.ts";
import type { Graph, Slot } from "../model/graph.ts";
import type { ModelSpec } from "../model/spec.ts";
import type { StepPlan } from "./step-plan.ts";

/** How keys and values are stored; part of the fingerprint. */
export const KV_FORMAT = "f16";
const KV_ELEMENT_BYTES = 2;
const DEFAULT_KV_BYTES = 512 << 20;

export interface KvPlan {
  /** Most tokens in a sequence. */
  readonly contextLength: number;
  readonly pageCount: number;
  /** Bytes of one page in one layer: keys, then values. */
  readonly layerPageBytes: number;
  /** Bytes of one page over all layers. */
  readonly pageBytes: number;
}

/**
 * How many pages fit: two full contexts if the budget allows, so that one can run while another is kept.
 * @throws EngineError `out_of_memory` when a context length was asked for that does not fit
 */
export function planKv(
  device: Device,
  spec: ModelSpec,
  options: { contextLength?: number | undefined; kvBytes?: number | undefined },
): KvPlan {
  const layerPageBytes = 2 * spec.kvHeadCount * PAGE_LENGTH * spec.headDim * KV_ELEMENT_BYTES;
  const pageBytes = layerPageBytes * spec.layerCount;
  const kvBytes = options.kvBytes ?? DEFAULT_KV_BYTES;
  const room = Math.min(Math.floor(kvBytes / pageBytes), Math.floor(device.maxBindingBytes / layerPageBytes));
  const wanted = Math.min(options.contextLength ?? spec.contextLength, spec.contextLength);
  const wantedPages = Math.ceil(wanted / PAGE_LENGTH);
  if (room === 0 || (options.contextLength !== undefined && room < wantedPages))
    throw new EngineError(
      "out_of_memory",
      `A context of ${wanted} tokens takes ${wantedPages * pageBytes} bytes of keys and values; ${kvBytes} are allowed, in ` +
        `bindings of at most ${device.maxBindingBytes}. Ask for a context of ${room * PAGE_LENGTH} tokens, or allow more memory.`,
      { details: { requestedBytes: wantedPages * pageBytes, heldBytes: device.buffers.heldBytes } },
    );
  return {
    contextLength: Math.min(wanted, room * PAGE_LENGTH),
    pageCount: Math.min(room, 2 * wantedPages),
    layerPageBytes,
    pageBytes,
  };
}

export interface StateSizes {
  /** Token rows of the largest step, and of the largest decode step. */
  readonly rows: number;
  readonly decodeRows: number;
  /** Rows of logits held at once. */
  readonly logitRows: number;
  readonly maxSequences: number;
  readonly contextLength: number;
}

export interface GpuState {
  readonly sizes: StateSizes;
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
export async function allocateState(
  device: Device,
  spec: ModelSpec,
  graphs: readonly Graph[],
  kvPlan: KvPlan,
  sizes: StateSizes,
): Promise<GpuState> {
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
    for (const slot of Object.keys(graphs[0]!.widths) as Slot[]) {
      const width = Math.max(...graphs.map((graph) => graph.widths[slot]));
      slots[slot] = await create(slot, (slot === "logits" ? sizes.logitRows : sizes.rows) * width * 4, data);
    }
    const kv: OwnedBuffer[] = [];
    for (let layer = 0; layer < spec.layerCount; layer++) {
      kv.push(await create(`keys and values of layer ${layer}`, kvPlan.pageCount * kvPlan.layerPageBytes, data));
    }
    const { contextLength } = sizes;
    const pageTableLength = sizes.maxSequences * Math.ceil(contextLength / PAGE_LENGTH);
    const maxChunks = decodeChunks(contextLength);
    const partialCount = partialsLength(sizes.decodeRows, spec.headCount, spec.headDim, maxChunks);
    const step = await create("step", 16, USAGE.UNIFORM | USAGE.COPY_DST);
    const rows = await create("rows", sizes.rows * 16, data);
    const pages = await create("page tables", pageTableLength * 4, data);
    const wanted = await create("wanted rows", sizes.logitRows * 4, data);
    const partials = await create("partial attention", partialCount * 4, data);
    const ropeTable = await create("rope table", contextLength * spec.rope.dimension * 4, data);
    const pageScratch = await create("page scratch", kvPlan.layerPageBytes, data);
    return {
      sizes,
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
