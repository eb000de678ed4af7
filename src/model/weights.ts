// Weights on the GPU: planned from the graphs, allocated at once, then streamed from the file tensor by tensor, repacked on
// the way. The JS heap holds a few chunks, never the model.
import { EngineError, throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { Gguf, TensorInfo } from "../gguf/gguf.ts";
import { USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import type { BufferBinding } from "../gpu/kernel.ts";
import { type QuantFormat, ROW_TILE } from "../quant/format.ts";
import { formatOf } from "../quant/formats.ts";
import { type PlaneMemory, planeSizes, repackRows, reusedPlanes, rowBytes } from "../quant/repack.ts";
import type { Graph } from "./graph.ts";
import type { MatrixRef } from "./spec.ts";
import { allocateVectors, type Vectors } from "./vectors.ts";

/** Consecutive rows of a matrix within one binding. */
export interface MatrixPart {
  /** Of the matrix; a multiple of ROW_TILE. */
  readonly firstRow: number;
  readonly rowCount: number;
  readonly quants: BufferBinding;
  /** For a format without extras the first bytes of the quants, so that there is something to bind. */
  readonly extras: BufferBinding;
}

/** One matrix of the file, or several of one format below each other. */
export interface Matrix {
  readonly format: QuantFormat;
  readonly rows: number;
  readonly columns: number;
  readonly parts: readonly MatrixPart[];
}

export interface Weights {
  /** The stack of these matrices; several matrices, in order, where their rows do not fill whole tiles. */
  matrices(refs: readonly MatrixRef[]): readonly Matrix[];
  readonly vectors: Vectors;
  /** Bytes of the file that `stream` reads. */
  readonly fileBytes: number;
  /**
   * Fills everything, in the order of the file. `onProgress` gets the file bytes that are on the GPU.
   * @throws EngineError `aborted`, `device_lost`, and what the source throws
   */
  stream(onProgress: (bytes: number) => void, signal?: AbortSignal): Promise<StreamTimes>;
  free(): void;
}

/** Where the time of a stream went, in milliseconds. */
export interface StreamTimes {
  /** Waiting for bytes of the file. */
  readonly readMs: number;
  /** Repacking them, and handing them to WebGPU, which copies. */
  readonly repackMs: number;
  /** Waiting for the GPU to take them. */
  readonly uploadMs: number;
}

const READ_BYTES = 4 << 20; // a chunk in flight, one being repacked, its planes: about 16 MiB of heap in all
const STAGED_BYTES = 32 << 20; // writeBuffer copies into memory of the browser: wait for it to drain now and then
/** Bindings start at multiples of this on every adapter. */
const BINDING_ALIGNMENT = 256;

/** Where a tensor's rows go. */
interface Placement {
  readonly matrix: Matrix;
  readonly firstRow: number;
}

/** Allocates room for all weights of the graphs. @throws EngineError `out_of_memory`, `unsupported_format`, `device_lost` */
export async function allocateWeights(device: Device, gguf: Gguf, graphs: readonly Graph[]): Promise<Weights> {
  const owned: { free(): void }[] = [];
  const matrices = new Map<string, readonly Matrix[]>();
  const placements = new Map<string, Placement>();
  const free = () => {
    for (const each of owned) each.free();
  };

  const allocate = async (): Promise<Vectors> => {
    for (const [key, refs] of stacksOf(graphs)) {
      const groups = stackable(refs) ? [refs] : refs.map((ref) => [ref]);
      const made: Matrix[] = [];
      for (const group of groups) {
        const matrix = await allocateMatrix(device, group, owned);
        made.push(matrix);
        let firstRow = 0;
        for (const { tensor, rows } of group) {
          invariant(!placements.has(tensor), `${tensor} is in two stacks`);
          placements.set(tensor, { matrix, firstRow });
          firstRow += rows;
        }
      }
      matrices.set(key, made);
    }
    const vectors = await allocateVectors(device, graphs);
    owned.push(vectors);
    return vectors;
  };
  const vectors = await allocate().catch((error) => {
    free();
    throw error;
  });

  const wanted = [...placements.keys(), ...vectors.names].map((name) => gguf.tensors.get(name)!);
  const inFileOrder = wanted.sort((a, b) => a.file - b.file || a.offset - b.offset);

  return {
    matrices: (refs) => matrices.get(stackKey(refs))!,
    vectors,
    fileBytes: inFileOrder.reduce((sum, tensor) => sum + tensor.byteLength, 0),
    async stream(onProgress, signal) {
      const times = { readMs: 0, repackMs: 0, uploadMs: 0 };
      let last = performance.now();
      const spent = (name: keyof StreamTimes) => {
        const now = performance.now();
        times[name] += now - last;
        last = now;
      };
      let done = 0;
      let staged = 0;
      const memory = reusedPlanes();
      for await (const { tensor, firstRow, rowCount, bytes } of chunks(gguf, inFileOrder, signal)) {
        spent("readMs");
        device.check();
        const placement = placements.get(tensor.name);
        if (placement) staged += writeRows(device, placement, firstRow, rowCount, bytes, memory);
        else vectors.write(tensor, bytes);
        spent("repackMs");
        if (staged >= STAGED_BYTES) {
          await device.gpu.queue.onSubmittedWorkDone();
          device.check();
          staged = 0;
        }
        spent("uploadMs");
        done += bytes.length;
        onProgress(done);
      }
      return times;
    },
    free,
  };
}

/** Every stack of matrices that the ops name, each once. */
function stacksOf(graphs: readonly Graph[]): ReadonlyMap<string, readonly MatrixRef[]> {
  const stacks = new Map<string, readonly MatrixRef[]>();
  const stack = (refs: readonly MatrixRef[]) => stacks.set(stackKey(refs), refs);
  for (const op of graphs.flatMap((graph) => graph.ops)) {
    switch (op.op) {
      case "embed":
      case "head":
        stack([op.weight]);
        break;
      case "linear":
        stack(op.weights);
        break;
      case "gatedLinear":
        stack([op.gate, op.up]);
        break;
      case "norm":
      case "ropeKv":
      case "attention":
      case "gatedActivation":
        break;
      default:
        op satisfies never;
    }
  }
  return stacks;
}

function stackKey(refs: readonly MatrixRef[]): string {
  return refs.map((ref) => ref.tensor).join("|");
}

/** Matrices join without a gap when all but the last fill whole tiles. */
function stackable(refs: readonly MatrixRef[]): boolean {
  return refs.every((ref, index) => {
    const last = index === refs.length - 1;
    return ref.format === refs[0]!.format && ref.columns === refs[0]!.columns && (last || ref.rows % ROW_TILE === 0);
  });
}

/** One buffer for each part: quants, then extras. Parts are cut so that each plane fits one binding. */
async function allocateMatrix(device: Device, refs: readonly MatrixRef[], owned: { free(): void }[]): Promise<Matrix> {
  const { tensor, columns, format: name } = refs[0]!;
  const format = formatOf(name);
  if (!format)
    throw new EngineError("unsupported_format", `Tensor ${tensor} is ${name}, which has no kernels.`, {
      details: { tensor, format: name },
    });
  const rows = refs.reduce((sum, ref) => sum + ref.rows, 0);
  const label = refs.length === 1 ? tensor : `${tensor} and ${refs.length - 1} more`;
  const tile = planeSizes(format, ROW_TILE, columns);
  const tilesPerPart = Math.floor(device.maxBindingBytes / Math.max(tile.quantsBytes, tile.extrasBytes));
  if (tilesPerPart === 0)
    throw new EngineError(
      "out_of_memory",
      `${ROW_TILE} rows of tensor ${tensor} take ${tile.quantsBytes} bytes; this adapter binds at most ${device.maxBindingBytes}.`,
      { details: { requestedBytes: tile.quantsBytes, heldBytes: device.buffers.heldBytes } },
    );

  const parts: MatrixPart[] = [];
  for (let firstRow = 0; firstRow < rows; firstRow += tilesPerPart * ROW_TILE) {
    const rowCount = Math.min(rows - firstRow, tilesPerPart * ROW_TILE);
    const { quantsBytes, extrasBytes } = planeSizes(format, rowCount, columns);
    const extrasOffset = Math.ceil(quantsBytes / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
    const buffer = await device.buffers.create({
      label,
      byteLength: extrasBytes === 0 ? quantsBytes : extrasOffset + extrasBytes,
      usage: USAGE.STORAGE | USAGE.COPY_DST,
    });
    owned.push(buffer);
    parts.push({
      firstRow,
      rowCount,
      quants: { buffer: buffer.buffer, offset: 0, size: quantsBytes },
      extras:
        extrasBytes === 0
          ? { buffer: buffer.buffer, offset: 0, size: 16 }
          : { buffer: buffer.buffer, offset: extrasOffset, size: extrasBytes },
    });
  }
  return { format, rows, columns, parts };
}

interface Chunk {
  readonly tensor: TensorInfo;
  readonly firstRow: number;
  readonly rowCount: number;
}

/** The tensors' bytes in whole tiles of rows, the next chunk being read while the caller works on this one. */
async function* chunks(
  gguf: Gguf,
  tensors: readonly TensorInfo[],
  signal?: AbortSignal,
): AsyncGenerator<Chunk & { bytes: Uint8Array<ArrayBuffer> }> {
  const read = ({ tensor, firstRow, rowCount }: Chunk) => {
    const bytes = bytesPerRow(tensor);
    const promise = gguf.files[tensor.file]!.source.read(tensor.offset + firstRow * bytes, rowCount * bytes, signal);
    promise.catch(() => {}); // awaited a turn later, or dropped when the caller fails first
    return promise;
  };
  const all = tensors.flatMap(chunksOf);
  let next = all[0] && read(all[0]);
  for (let index = 0; index < all.length; index++) {
    throwIfAborted(signal);
    const bytes = await next!;
    const following = all[index + 1];
    next = following && read(following);
    yield { ...all[index]!, bytes };
  }
}

function chunksOf(tensor: TensorInfo): Chunk[] {
  const rows = tensor.shape.slice(1).reduce((product, length) => product * length, 1);
  const step = Math.max(1, Math.floor(READ_BYTES / bytesPerRow(tensor) / ROW_TILE)) * ROW_TILE;
  return Array.from({ length: Math.ceil(rows / step) }, (_, index) => ({
    tensor,
    firstRow: index * step,
    rowCount: Math.min(step, rows - index * step),
  }));
}

function bytesPerRow(tensor: TensorInfo): number {
  return rowBytes(formatOf(tensor.format)!, tensor.shape[0]!);
}

/** Repacks rows of a tensor into its parts; returns the bytes written. */
function writeRows(
  device: Device,
  { matrix, firstRow: placed }: Placement,
  firstRow: number,
  rowCount: number,
  bytes: Uint8Array,
  memory: PlaneMemory,
): number {
  const { format, columns, parts } = matrix;
  const perRow = rowBytes(format, columns);
  const tile = planeSizes(format, ROW_TILE, columns);
  const [start, end] = [placed + firstRow, placed + firstRow + rowCount];
  let written = 0;
  for (const part of parts) {
    const [from, to] = [Math.max(start, part.firstRow), Math.min(end, part.firstRow + part.rowCount)];
    if (from >= to) continue;
    const rows = bytes.subarray((from - start) * perRow, (to - start) * perRow);
    const { quants, extras } = repackRows(format, rows, to - from, columns, memory);
    const tiles = (from - part.firstRow) / ROW_TILE;
    device.buffers.write(part.quants, quants, tiles * tile.quantsBytes);
    if (extras.length > 0) device.buffers.write(part.extras, extras, part.extras.offset! + tiles * tile.extrasBytes);
    written += quants.byteLength + extras.byteLength;
  }
  return written;
}
