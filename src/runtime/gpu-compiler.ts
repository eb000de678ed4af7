// What the ops of a graph are compiled with, whichever file compiles them.
import type { Device } from "../gpu/device.ts";
import type { BufferBinding, Kernel, Operation, PrepareOptions } from "../gpu/kernel.ts";
import type { Graph, Slot } from "../model/graph.ts";
import type { Weights } from "../model/weights.ts";
import type { GpuState } from "./gpu-state.ts";
import type { Variants } from "./tuning/variants.ts";

/** What grids depend on. */
export interface StepSize {
  readonly rows: number;
  /** Tokens of the longest sequence in the step. */
  readonly longest: number;
}

export type Operations = Operation<StepSize>[];

export interface Compiler {
  readonly device: Device;
  readonly graph: Graph;
  readonly weights: Weights;
  readonly state: GpuState;
  /** How the kernels of each matrix are built. */
  readonly variants: Variants;
  slot(name: Slot): BufferBinding;
  /** What is made beside the steps once it is first asked for, and there as soon as it is made. Failing leaves it absent. */
  later<Made>(make: () => Promise<Made>): () => Made | undefined;
  prepare<
    B extends Kernel["bindings"],
    P extends Kernel["params"],
    O extends Kernel["overrides"],
    Size extends { readonly rows: number },
  >(kernel: Kernel<B, P, O, Size>, options: PrepareOptions<B, P, O>): Promise<Operation<Size>>;
}
