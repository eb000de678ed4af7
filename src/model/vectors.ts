// Norms and biases on the GPU, as f32: room for all of them at once, filled as the file is read. What divides RoPE's
// frequencies stays in host memory, where its table is made.
import { invariant } from "../base/invariant.ts";
import type { TensorInfo } from "../gguf/gguf.ts";
import { type OwnedBuffer, USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import type { BufferBinding } from "../gpu/kernel.ts";
import { formatOf } from "../quant/formats.ts";
import type { Graph, LinearOp } from "./graph.ts";
import type { VectorRef } from "./spec.ts";

export interface Vectors {
  /** Every tensor that is one, each once. */
  readonly names: readonly string[];
  /** A norm's weight. */
  gain(ref: VectorRef): BufferBinding;
  /** The biases of an op's matrices below each other, zeros where one has none; undefined where none has. */
  biases(op: LinearOp): BufferBinding | undefined;
  /** There once the tensor was written. */
  factors(ref: VectorRef): Float32Array<ArrayBuffer>;
  /** Puts a tensor where it belongs, from its bytes in the file. */
  write(tensor: TensorInfo, bytes: Uint8Array): void;
  free(): void;
}

/** Vectors below each other in one buffer. */
interface Stack {
  readonly key: string;
  readonly length: number;
  readonly members: readonly { readonly ref: VectorRef; readonly at: number }[];
}

/** @throws EngineError `out_of_memory`, `device_lost` */
export async function allocateVectors(device: Device, graphs: readonly Graph[]): Promise<Vectors> {
  const { stacks, factors } = vectorsOf(graphs);
  const buffers = new Map<string, OwnedBuffer>();
  const places = new Map<string, { readonly buffer: OwnedBuffer; readonly at: number }>();
  const host = new Map<string, Float32Array<ArrayBuffer>>();
  const free = () => {
    for (const buffer of buffers.values()) buffer.free();
  };
  const bufferOf = (key: string): BufferBinding => {
    const found = buffers.get(key);
    invariant(found, `the graphs name no vector ${key}`);
    return { buffer: found.buffer };
  };

  try {
    for (const { key, length, members } of stacks) {
      const usage = USAGE.STORAGE | USAGE.COPY_DST;
      const buffer = await device.buffers.create({ label: key, byteLength: length * 4, usage });
      buffers.set(key, buffer);
      for (const { ref, at } of members) places.set(ref.tensor, { buffer, at });
    }
  } catch (error) {
    free();
    throw error;
  }

  return {
    names: [...places.keys(), ...factors],
    gain: (ref) => bufferOf(ref.tensor),
    biases: (op) => (op.biases ? bufferOf(biasStack(op).key) : undefined),
    factors(ref) {
      const values = host.get(ref.tensor);
      invariant(values, `${ref.tensor} is asked for before it was read`);
      return values;
    },
    write(tensor, bytes) {
      const values = new Float32Array(tensor.shape[0]!);
      formatOf(tensor.format)!.dequantize(bytes, values);
      const place = places.get(tensor.name);
      if (place) device.buffers.write(place.buffer, values, place.at * 4);
      else host.set(tensor.name, values);
    },
    free,
  };
}

/** What the ops name, each once. */
function vectorsOf(graphs: readonly Graph[]): { stacks: Iterable<Stack>; factors: Iterable<string> } {
  const stacks = new Map<string, Stack>();
  const factors = new Set<string>();
  const gain = (ref: VectorRef | undefined) => {
    if (ref) stacks.set(ref.tensor, { key: ref.tensor, length: ref.length, members: [{ ref, at: 0 }] });
  };
  for (const op of graphs.flatMap((graph) => graph.ops)) {
    switch (op.op) {
      case "linear": {
        gain(op.norm?.weight);
        const stack = op.biases && biasStack(op);
        if (stack) stacks.set(stack.key, stack);
        break;
      }
      case "head":
      case "gatedLinear":
        gain(op.norm?.weight);
        break;
      case "norm":
        gain(op.weight);
        break;
      case "ropeKv":
        gain(op.queryNorm);
        gain(op.keyNorm);
        if (op.rope.factors) factors.add(op.rope.factors.tensor);
        break;
      case "embed":
      case "attention":
      case "gatedActivation":
        break;
      default:
        op satisfies never;
    }
  }
  return { stacks: stacks.values(), factors };
}

function biasStack({ weights, biases }: LinearOp): Stack {
  let length = 0;
  const members: { ref: VectorRef; at: number }[] = [];
  weights.forEach(({ rows }, index) => {
    const ref = biases?.[index];
    if (ref) members.push({ ref, at: length });
    length += rows;
  });
  return { key: members.map(({ ref }) => ref.tensor).join("|"), length, members };
}
