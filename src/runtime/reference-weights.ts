// All weights that graphs name, dequantized to f32 on the heap: what the reference runtime computes with.
import { throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { Gguf } from "../gguf/gguf.ts";
import type { Graph, Op } from "../model/graph.ts";
import type { MatrixRef, VectorRef } from "../model/spec.ts";
import { formatOf } from "../quant/formats.ts";

export interface HostWeights {
  /** [rows, columns] */
  matrix(ref: MatrixRef): Float32Array;
  /** [length] */
  vector(ref: VectorRef): Float32Array;
}

/** @throws EngineError `aborted`, and what the model's sources throw */
export async function dequantizeWeights(
  model: Gguf,
  graphs: readonly Graph[],
  signal?: AbortSignal,
): Promise<HostWeights> {
  const names = new Set(graphs.flatMap((graph) => graph.ops.flatMap(refsOf)).map((ref) => ref.tensor));
  const tensors = new Map<string, Float32Array>();
  for (const name of names) {
    throwIfAborted(signal);
    const info = model.tensors.get(name);
    const format = info && formatOf(info.format);
    invariant(info && format, `the spec names ${name}, which cannot be read`);
    const bytes = await model.files[info.file]!.source.read(info.offset, info.byteLength, signal);
    const values = new Float32Array((info.byteLength / info.blockBytes) * info.blockLength);
    format.dequantize(bytes, values);
    tensors.set(name, values);
  }
  const find = ({ tensor }: { tensor: string }) => {
    const values = tensors.get(tensor);
    invariant(values, `${tensor} is in none of the graphs`);
    return values;
  };
  return { matrix: find, vector: find };
}

function refsOf(op: Op): readonly (MatrixRef | VectorRef)[] {
  switch (op.op) {
    case "embed":
    case "norm":
      return [op.weight];
    case "head":
      return present([op.weight, op.norm?.weight]);
    case "linear":
      return present([...op.weights, ...(op.biases ?? []), op.norm?.weight]);
    case "gatedLinear":
      return present([op.gate, op.up, op.norm?.weight]);
    case "ropeKv":
      return present([op.queryNorm, op.keyNorm, op.rope.factors]);
    case "gatedActivation":
    case "attention":
      return [];
    default:
      return op satisfies never;
  }
}

function present<Ref>(refs: readonly (Ref | undefined)[]): Ref[] {
  return refs.filter((ref) => ref !== undefined);
}
