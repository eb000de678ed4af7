// Which variant the kernels of a matrix take: one for all matrices of a class, so that what is measured once serves many.
import { type MatMulVariant, matMulVariants } from "../../kernels/mat-mul-variant.ts";
import { type MatVecVariant, matVecVariants } from "../../kernels/mat-vec-variant.ts";
import type { KernelFacts } from "../../kernels/precision.ts";
import type { Graph, Op } from "../../model/graph.ts";
import type { MatrixRef } from "../../model/spec.ts";
import type { Matrix, Weights } from "../../model/weights.ts";
import type { QuantFormat } from "../../quant/format.ts";
import { seedsFor } from "./seeds.ts";

export type KernelFamily = "mat-vec" | "mat-mul";

/** Names of variants by class; a class that is absent takes the adapter's seed. */
export type Choices = Readonly<Record<string, string>>;

export interface Variants {
  matVec(matrix: Matrix): MatVecVariant;
  matMul(matrix: Matrix): MatMulVariant;
}

/** A name that the adapter has no variant for is as good as none. */
export function variantsFor(facts: KernelFacts, choices: Choices): Variants {
  return {
    matVec(matrix) {
      const chosen = choices[classOf("mat-vec", matrix)];
      const all = matVecVariants(facts, matrix.format);
      return all.find(({ name }) => name === chosen) ?? seedsFor(facts, matrix).matVec;
    },
    matMul(matrix) {
      const chosen = choices[classOf("mat-mul", matrix)];
      const all = matMulVariants(facts, matrix.format);
      return all.find(({ name }) => name === chosen) ?? seedsFor(facts, matrix).matMul;
    },
  };
}

/** Names of the variants that an adapter can run for a class, the seed first. */
export function candidatesOf({ family, format, rows }: CandidateClass, facts: KernelFacts): readonly string[] {
  const all = variantsOf(family, format, facts);
  const seeds = seedsFor(facts, { format, rows });
  const seed = family === "mat-vec" ? seeds.matVec.name : seeds.matMul.name;
  return [seed, ...all.map(({ name }) => name).filter((name) => name !== seed)];
}

/**
 * Energy of the difference from the seed's output, over that output's energy: float32 sums in another order differ by some 1e-13, a
 * wrong weight by more than 1e-6. Halves leave some 1e-7, and bytes of x, with 127 steps to a group's largest number, 2e-5; behind an
 * activation it is a few times that.
 */
const MAX_DIFFERENCE = { f32: 1e-9, f16: 5e-6, int8: 5e-4 };

/** What a variant's output may be off in a trial. */
export function maxDifferenceOf(
  { family, format }: Pick<CandidateClass, "family" | "format">,
  facts: KernelFacts,
  variant: string,
): number {
  const found = variantsOf(family, format, facts).find(({ name }) => name === variant);
  return MAX_DIFFERENCE[found?.arithmetic ?? "f32"];
}

function variantsOf(
  family: KernelFamily,
  format: QuantFormat,
  facts: KernelFacts,
): readonly (MatVecVariant | MatMulVariant)[] {
  return family === "mat-vec" ? matVecVariants(facts, format) : matMulVariants(facts, format);
}

export type CandidateClass = Pick<KernelClass, "family" | "format" | "rows">;

/** What one class is made of: the ops of one graph whose kernels take its variant. */
export interface KernelClass {
  readonly name: string;
  readonly family: KernelFamily;
  readonly format: QuantFormat;
  /** Of a matrix of it. */
  readonly rows: number;
  readonly graph: Graph;
  /** Indices of its ops. */
  readonly ops: readonly number[];
  /** Weights of one op, all its matrices together. */
  readonly opWeights: number;
}

/** All classes of a model, those of decode first, the larger matrices first: the order in which they are worth tuning. */
export function classesOf(graphs: readonly Graph[], weights: Pick<Weights, "matrices">): readonly KernelClass[] {
  const classes = new Map<string, KernelClass & { readonly ops: number[] }>();
  const decodeFirst = [...graphs].sort((a, b) => a.stage.localeCompare(b.stage));
  for (const graph of decodeFirst) {
    graph.ops.forEach((op, index) => {
      const refs = matricesOf(op);
      // The head is a mat-vec in either stage, and the same one.
      const family: KernelFamily = graph.stage === "prefill" && op.op !== "head" ? "mat-mul" : "mat-vec";
      for (const matrix of refs.length > 0 ? weights.matrices(refs) : []) {
        const name = classOf(family, matrix);
        const opWeights = refs.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
        const known = classes.get(name);
        const { format, rows } = matrix;
        if (!known) classes.set(name, { name, family, format, rows, graph, ops: [index], opWeights });
        else if (known.graph === graph && known.ops.at(-1) !== index) known.ops.push(index);
      }
    });
  }
  const order = (family: KernelFamily) =>
    [...classes.values()].filter((each) => each.family === family).sort((a, b) => b.opWeights - a.opWeights);
  return [...order("mat-vec"), ...order("mat-mul")];
}

/** Every class with its variant, in a fixed order: for the fingerprint. */
export function describeVariants(facts: KernelFacts, classes: readonly KernelClass[], choices: Choices): string {
  return classes
    .map((kernels) => {
      const { name } = kernels;
      const candidates = candidatesOf(kernels, facts);
      const chosen = choices[name];
      return `${name}: ${chosen !== undefined && candidates.includes(chosen) ? chosen : candidates[0]}`;
    })
    .sort()
    .join("; ");
}

/** By kernel family, format and shape. */
function classOf(family: KernelFamily, { format, rows, columns }: Matrix): string {
  return `${family} ${format.name} ${rows} x ${columns}`;
}

function matricesOf(op: Op): readonly MatrixRef[] {
  switch (op.op) {
    case "linear":
      return op.weights;
    case "gatedLinear":
      return [op.gate, op.up];
    case "head":
      return [op.weight];
    default:
      return [];
  }
}
