// What tells kernels about a step, in one buffer that one write fills: its counts, its token rows, wanted rows and page tables.
import { type OwnedBuffer, USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import type { BufferBinding } from "../gpu/kernel.ts";
import type { StepPlan } from "./step-plan.ts";

export interface StepBuffer {
  /** `Step` of every kernel: rowCount, wantCount. */
  readonly step: BufferBinding;
  /** [wantedRows]: rows whose logits are wanted. */
  readonly wanted: BufferBinding;
  /** [rows]: token id, position, page table offset, 0. */
  readonly rows: BufferBinding;
  readonly pages: BufferBinding;
  readonly owned: OwnedBuffer;
  /** The plan's rows and pages, and its first wanted rows up to `to`. */
  writeStep(plan: StepPlan, to: number): void;
  /** The wanted rows `from` up to `to` of the plan written last, for another run of the head. */
  writeWanted(plan: StepPlan, from: number, to: number): void;
}

/** The most that a step may have of each. */
export interface StepBounds {
  readonly rows: number;
  readonly wantedRows: number;
  readonly pages: number;
}

/** Bytes of the buffer. */
export function stepBytes(bounds: StepBounds): number {
  const { pages } = offsetsOf(bounds);
  return (pages + bounds.pages) * 4;
}

/** @throws EngineError `out_of_memory`, `device_lost` */
export async function createStepBuffer(device: Device, bounds: StepBounds): Promise<StepBuffer> {
  const byteLength = stepBytes(bounds);
  const usage = USAGE.STORAGE | USAGE.UNIFORM | USAGE.COPY_DST;
  const owned = await device.buffers.create({ label: "step", byteLength, usage });
  const words = new Uint32Array(byteLength / 4);
  const at = offsetsOf(bounds);
  const bind = (offset: number, length: number) => ({ buffer: owned.buffer, offset: offset * 4, size: length * 4 });

  const putWanted = (plan: StepPlan, from: number, to: number) => {
    words[0] = plan.rowCount;
    words[1] = to - from;
    words.set(plan.wanted.subarray(from, to), at.wanted);
  };
  const write = (length: number) => device.buffers.write(owned, words.subarray(0, length));
  return {
    step: bind(0, 4),
    wanted: bind(at.wanted, bounds.wantedRows),
    rows: bind(at.rows, bounds.rows * 4),
    pages: bind(at.pages, bounds.pages),
    owned,
    writeStep(plan, to) {
      putWanted(plan, 0, to);
      words.set(plan.rows, at.rows);
      words.set(plan.pages, at.pages);
      write(at.pages + plan.pages.length);
    },
    writeWanted(plan, from, to) {
      putWanted(plan, from, to);
      write(at.rows);
    },
  };
}

/** Bindings start at multiples of this on every adapter: 256 bytes. */
const ALIGNMENT_WORDS = 64;

/** In words; the counts are at 0. */
function offsetsOf({ rows, wantedRows }: StepBounds): { wanted: number; rows: number; pages: number } {
  const align = (words: number) => Math.ceil(words / ALIGNMENT_WORDS) * ALIGNMENT_WORDS;
  const wanted = ALIGNMENT_WORDS;
  const rowsAt = wanted + align(wantedRows);
  return { wanted, rows: rowsAt, pages: rowsAt + align(rows * 4) };
}
