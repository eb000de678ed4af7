// Room for weights on the GPU, planned from the graphs and allocated at once; weight-stream.ts fills it.
import { EngineError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { Gguf } from "../gguf/gguf.ts";
import { USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import type { BufferBinding } from "../gpu/kernel.ts";
import { type QuantFormat, ROW_TILE } from "../quant/format.ts";
import { formatOf } from "../quant/formats.ts";
import { planeSizes } from "../quant/planes.ts";
import type { Graph } from "./graph.ts";
import type { MatrixRef } from "./spec.ts";
import { allocateVectors, type Vectors } from "./vectors.ts";
import { openWeightStream, type Placement, type WeightStream } from "./weight-stream.ts";

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
  /** Fills them, once. */
  readonly stream: WeightStream;
  free(): void;
}

/** Bindings start at multiples of this on every adapter. */
const BINDING_ALIGNMENT = 256;

/** Allocates room for all weights of the graphs. @throws EngineError `out_of_memory`, `unsupported_format`, `device_lost` */
export async function allocateWeights(device: Device, gguf: Gguf, graphs: readonly Graph[]): Promise<Weights> {
  const owned: { free(): void }[] = [];
  const matrices = new Map<string, readonly Matrix[]>();
  const placements = new Map<string, Placement>();
  const free = () => {
    for (const each of owned) each.free();
  };

  const allocate = async () => {
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
    const stream = await openWeightStream(device, gguf, placements, vectors);
    owned.push(stream);
    return { vectors, stream };
  };
  const { vectors, stream } = await allocate().catch((error) => {
    free();
    throw error;
  });

  return {
    matrices: (refs) => matrices.get(stackKey(refs))!,
    vectors,
    stream,
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
