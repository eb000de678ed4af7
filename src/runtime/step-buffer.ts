// What tells kernels about a step, in one buffer that one write fills: its counts, its token rows, wanted rows and page tables,
// and what sampling has to know.
import { type OwnedBuffer, USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import type { BufferBinding } from "../gpu/kernel.ts";
import { SAMPLE_ENTRY_WORDS, SAMPLE_ROW_WORDS, writeSampleEntries, writeSampleRow } from "../kernels/sample-rows.ts";
import type { StepPlan } from "./step-plan.ts";

export interface StepBuffer {
  /** `Step` of every kernel: rowCount, wantCount. */
  readonly step: BufferBinding;
  /** [wantedRows]: rows whose logits are wanted. */
  readonly wanted: BufferBinding;
  /** [rows]: token id, position, page table offset, 0 or the token's place. */
  readonly rows: BufferBinding;
  readonly pages: BufferBinding;
  /** What each row that kernels draw from is drawn by. */
  readonly samples: BufferBinding;
  /** Tokens whose logits sampling changes. They follow the step's page tables, and are counted from those on. */
  readonly entries: BufferBinding;
  readonly owned: OwnedBuffer;
  /** The plan, with its wanted rows `from` up to `to`, at most `wantedRows` of them: those of one run of the head. */
  write(plan: StepPlan, from: number, to: number): void;
}

/** The most that a step may have of each. */
export interface StepBounds {
  readonly rows: number;
  readonly wantedRows: number;
  readonly pages: number;
  /** Tokens whose logits sampling changes. */
  readonly entries: number;
}

/** Bytes of the buffer. */
export function stepBytes(bounds: StepBounds): number {
  return (offsetsOf(bounds).pages + tailWords(bounds)) * 4;
}

/** Page tables and entries, which begin where the former end. */
function tailWords({ pages, entries }: StepBounds): number {
  return (Math.ceil(pages / SAMPLE_ENTRY_WORDS) + entries) * SAMPLE_ENTRY_WORDS;
}

/** @throws EngineError `out_of_memory`, `device_lost` */
export async function createStepBuffer(device: Device, bounds: StepBounds, vocabSize: number): Promise<StepBuffer> {
  const byteLength = stepBytes(bounds);
  const usage = USAGE.STORAGE | USAGE.UNIFORM | USAGE.COPY_DST;
  const owned = await device.buffers.create({ label: "step", byteLength, usage });
  const words = new Uint32Array(byteLength / 4);
  const at = offsetsOf(bounds);
  const bind = (offset: number, length: number) => ({ buffer: owned.buffer, offset: offset * 4, size: length * 4 });

  /** The end of what was written. */
  const putTail = (plan: StepPlan, from: number, to: number): number => {
    let entry = Math.ceil(plan.pages.length / SAMPLE_ENTRY_WORDS);
    let end = at.pages + plan.pages.length;
    for (let wanted = Math.max(from, plan.readCount); wanted < to; wanted++) {
      const row = plan.kernelRows[wanted - plan.readCount]!;
      const index = wanted - Math.max(from, plan.readCount);
      const sources = { logitsRow: wanted - from, firstEntry: entry, entryCount: row.entries.length, place: row.place };
      writeSampleRow(words, at.samples + index * SAMPLE_ROW_WORDS, row.plan, row.history, vocabSize, sources);
      if (row.entries.length === 0) continue;
      writeSampleEntries(words, at.pages + entry * SAMPLE_ENTRY_WORDS, row.entries, row.plan);
      entry += row.entries.length;
      end = at.pages + entry * SAMPLE_ENTRY_WORDS;
    }
    return end;
  };
  return {
    step: bind(0, 4),
    wanted: bind(at.wanted, bounds.wantedRows),
    rows: bind(at.rows, bounds.rows * 4),
    pages: bind(at.pages, bounds.pages),
    samples: bind(at.samples, bounds.wantedRows * SAMPLE_ROW_WORDS),
    entries: bind(at.pages, tailWords(bounds)),
    owned,
    write(plan, from, to) {
      words[0] = plan.rowCount;
      words[1] = to - from;
      words.set(plan.wanted.subarray(from, to), at.wanted);
      words.set(plan.rows, at.rows);
      words.set(plan.pages, at.pages);
      device.buffers.write(owned, words.subarray(0, putTail(plan, from, to)));
    },
  };
}

/** Bindings start at multiples of this on every adapter: 256 bytes. */
const ALIGNMENT_WORDS = 64;

/** In words; the counts are at 0. */
function offsetsOf({ rows, wantedRows }: StepBounds) {
  const align = (words: number) => Math.ceil(words / ALIGNMENT_WORDS) * ALIGNMENT_WORDS;
  const wanted = ALIGNMENT_WORDS;
  const samples = wanted + align(wantedRows);
  const rowsAt = samples + align(wantedRows * SAMPLE_ROW_WORDS);
  return { wanted, samples, rows: rowsAt, pages: rowsAt + align(rows * 4) };
}
