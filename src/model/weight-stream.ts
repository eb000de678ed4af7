// The way of weights from the file to the room that was made for them: read in the file's order, copied, repacked on the GPU.
// The JS heap holds a few chunks, never the model.
import { throwIfAborted } from "../base/errors.ts";
import type { Gguf, TensorInfo } from "../gguf/gguf.ts";
import type { Device } from "../gpu/device.ts";
import { ROW_TILE } from "../quant/format.ts";
import { formatOf } from "../quant/formats.ts";
import { rowBytes } from "../quant/planes.ts";
import { createRepacker, type Repacker } from "./repacker.ts";
import type { Vectors } from "./vectors.ts";
import type { Matrix } from "./weights.ts";

export interface WeightStream {
  /** Of the file, in all. */
  readonly bytes: number;
  /**
   * Carries all over. `onProgress` gets the file bytes that were handed to the GPU. What only this needs is freed then.
   * @throws EngineError `aborted`, `device_lost`, `out_of_memory`, and what the source throws
   */
  run(onProgress: (bytes: number) => void, signal?: AbortSignal): Promise<StreamTimes>;
  free(): void;
}

/** Where the time of a stream went, in milliseconds. */
export interface StreamTimes {
  /** Waiting for bytes of the file. */
  readonly readMs: number;
  /** Handing them to WebGPU, which copies. */
  readonly uploadMs: number;
  /** Waiting for the GPU, which repacks them. */
  readonly repackMs: number;
}

/** Where a tensor's rows go. */
export interface Placement {
  readonly matrix: Matrix;
  readonly firstRow: number;
}

const READ_BYTES = 4 << 20; // a chunk in flight and one being copied: 8 MiB of heap
const STAGED_BYTES = 16 << 20; // writeBuffer copies into memory of the browser, where twice this waits for the GPU at most

/**
 * Of the matrices that have a place, by their tensors' names, and of the vectors. What repacks them is being compiled from here
 * on, so that it is there when the first bytes are.
 * @throws EngineError `out_of_memory`, `device_lost`
 */
export async function openWeightStream(
  device: Device,
  gguf: Gguf,
  placements: ReadonlyMap<string, Placement>,
  vectors: Vectors,
): Promise<WeightStream> {
  const tensors = [...placements.keys(), ...vectors.names].map((name) => gguf.tensors.get(name)!);
  tensors.sort((a, b) => a.file - b.file || a.offset - b.offset);
  const all = tensors.flatMap(chunksOf);
  const ofMatrices = all.filter(({ tensor }) => placements.has(tensor.name)).map(chunkBytes);
  const matrices = new Set([...placements.values()].map(({ matrix }) => matrix));
  const repacker = await createRepacker(device, matrices, Math.max(...ofMatrices));
  const queue = createDrain(device);

  return {
    bytes: all.reduce((sum, chunk) => sum + chunkBytes(chunk), 0),
    async run(onProgress, signal) {
      const times = { readMs: 0, uploadMs: 0, repackMs: 0 };
      let last = performance.now();
      const spent = (name: keyof StreamTimes) => {
        const now = performance.now();
        times[name] += now - last;
        last = now;
      };
      let done = 0;
      for await (const chunk of read(gguf, all, signal)) {
        spent("readMs");
        device.check();
        const placement = placements.get(chunk.tensor.name);
        if (placement) await write(repacker, placement, chunk);
        else vectors.write(chunk.tensor, chunk.bytes);
        spent("uploadMs");
        await queue.handed(chunk.bytes.length);
        spent("repackMs");
        done += chunk.bytes.length;
        onProgress(done);
      }
      await queue.empty();
      spent("repackMs");
      repacker.free();
      return times;
    },
    free: repacker.free,
  };
}

/** Keeps what was handed to the GPU, and is not done, below two times STAGED_BYTES. */
function createDrain(device: Device) {
  let staged = 0;
  let drained = Promise.resolve();
  const allDone = async () => {
    await device.gpu.queue.onSubmittedWorkDone();
    device.check();
  };
  return {
    async handed(bytes: number): Promise<void> {
      staged += bytes;
      if (staged < STAGED_BYTES) return;
      staged = 0;
      const earlier = drained;
      drained = allDone();
      drained.catch(() => {}); // awaited later, or dropped when something else fails first
      await earlier;
    },
    empty: allDone,
  };
}

interface Chunk {
  readonly tensor: TensorInfo;
  readonly firstRow: number;
  readonly rowCount: number;
}

interface ReadChunk extends Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The chunks' bytes, the next one being read while the caller works on this one. */
async function* read(gguf: Gguf, all: readonly Chunk[], signal?: AbortSignal): AsyncGenerator<ReadChunk> {
  const begin = (chunk: Chunk) => {
    const { tensor, firstRow } = chunk;
    const { source } = gguf.files[tensor.file]!;
    const promise = source.read(tensor.offset + firstRow * bytesPerRow(tensor), chunkBytes(chunk), signal);
    promise.catch(() => {}); // awaited a turn later, or dropped when the caller fails first
    return promise;
  };
  let next = all[0] && begin(all[0]);
  for (let index = 0; index < all.length; index++) {
    throwIfAborted(signal);
    const bytes = await next!;
    const following = all[index + 1];
    next = following && begin(following);
    yield { ...all[index]!, bytes };
  }
}

/** A tensor in parts of whole tiles. */
function chunksOf(tensor: TensorInfo): Chunk[] {
  const rows = tensor.shape.slice(1).reduce((product, length) => product * length, 1);
  const step = Math.max(1, Math.floor(READ_BYTES / bytesPerRow(tensor) / ROW_TILE)) * ROW_TILE;
  return Array.from({ length: Math.ceil(rows / step) }, (_, index) => ({
    tensor,
    firstRow: index * step,
    rowCount: Math.min(step, rows - index * step),
  }));
}

function chunkBytes({ tensor, rowCount }: Chunk): number {
  return rowCount * bytesPerRow(tensor);
}

function bytesPerRow(tensor: TensorInfo): number {
  return rowBytes(formatOf(tensor.format)!, tensor.shape[0]!);
}

/** Rows of a tensor to the parts of its matrix. */
async function write(repacker: Repacker, { matrix, firstRow: placed }: Placement, chunk: ReadChunk): Promise<void> {
  const perRow = bytesPerRow(chunk.tensor);
  const start = placed + chunk.firstRow;
  const end = start + chunk.rowCount;
  for (const part of matrix.parts) {
    const [from, to] = [Math.max(start, part.firstRow), Math.min(end, part.firstRow + part.rowCount)];
    if (from >= to) continue;
    const bytes = chunk.bytes.subarray((from - start) * perRow, (to - start) * perRow);
    await repacker.write(matrix, part, from - part.firstRow, to - from, bytes);
  }
}
