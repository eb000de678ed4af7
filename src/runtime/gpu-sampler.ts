// Sampling on the GPU: three dispatches that take rows of logits to tokens, and all that they need between them.
import { USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import { type BufferBinding, prepare } from "../gpu/kernel.ts";
import type { Recorder } from "../gpu/recorder.ts";
import { sampleAdjust } from "../kernels/sample-adjust.ts";
import { sampleChoose } from "../kernels/sample-choose.ts";
import { sampleScratch, sampleWeights } from "../kernels/sample-rows.ts";
import { sampleWeigh } from "../kernels/sample-weigh.ts";

export interface SampleInput {
  /** [.., vocabSize] */
  readonly logits: BufferBinding;
  /** Both as kernels/sample-rows.ts writes them. */
  readonly rows: BufferBinding;
  readonly entries: BufferBinding;
  /** [rows, SAMPLE_RESULT_WORDS] after the dispatches, and the rows' places behind. */
  readonly results: BufferBinding;
}

export interface GpuSampler {
  /** Adds the dispatches for the first `rows` rows. */
  record(recorder: Recorder, rows: number): void;
  readonly sources: readonly string[];
  free(): void;
}

/** Bytes of the buffers that a sampler makes. */
export function samplerBytes(vocabSize: number, rows: number): number {
  const scratch = Object.values(sampleScratch(vocabSize, rows)).reduce((sum, words) => sum + words, 0);
  return (scratch + sampleWeights().length) * 4;
}

/**
 * @param rows most rows at a time
 * @throws EngineError `out_of_memory`, `device_lost`, `webgpu_unavailable` when the driver refuses a pipeline
 */
export async function createGpuSampler(
  device: Device,
  vocabSize: number,
  rows: number,
  { logits, results, ...told }: SampleInput,
): Promise<GpuSampler> {
  const frees: (() => void)[] = [];
  const free = () => {
    for (const release of frees.splice(0)) release();
  };
  const create = async (label: string, words: number) => {
    const usage = USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST;
    const buffer = await device.buffers.create({ label, byteLength: words * 4, usage });
    frees.push(buffer.free);
    return buffer;
  };
  try {
    const sizes = sampleScratch(vocabSize, rows);
    const scores = await create("scores", sizes.scores);
    const largest = await create("largest logits", sizes.largest);
    const best = await create("best scores", sizes.best);
    const histogram = await create("weights by distance", sizes.histogram);
    const table = sampleWeights();
    const weights = await create("e^-x", table.length);
    device.buffers.write(weights, table);

    const common = { params: { vocabSize }, overrides: {} };
    const operations = [
      await prepare(device, sampleAdjust, {
        label: "sample-adjust",
        buffers: { ...told, logits, scores, largest, histogram },
        ...common,
      }),
      await prepare(device, sampleWeigh, {
        label: "sample-weigh",
        buffers: { rows: told.rows, logits, weights, largest, scores, histogram, best },
        ...common,
      }),
      await prepare(device, sampleChoose, {
        label: "sample-choose",
        buffers: { rows: told.rows, logits, weights, largest, distances: scores, histogram, best, results },
        ...common,
      }),
    ];
    for (const operation of operations) frees.push(operation.free);
    return {
      record(recorder, count) {
        for (const operation of operations) recorder.run(operation, { rows: count });
      },
      sources: [sampleAdjust, sampleWeigh, sampleChoose].map(({ source }) => source),
      free,
    };
  } catch (error) {
    free();
    throw error;
  }
}
