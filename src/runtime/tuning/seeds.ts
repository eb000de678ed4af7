// What adapters are known to do well with, by facts about them: where tuning begins, and what holds where nothing is timed.
import { type MatMulVariant, matMulVariants } from "../../kernels/mat-mul-variant.ts";
import { type MatVecVariant, matVecVariants } from "../../kernels/mat-vec-variant.ts";
import type { KernelFacts } from "../../kernels/precision.ts";
import type { Matrix } from "../../model/weights.ts";

interface SeedRow {
  readonly adapters: string;
  readonly fits: (facts: KernelFacts) => boolean;
  /** Names of variants. */
  readonly matVec: string;
  /** For matrices of so many rows that these alone keep all threads busy; absent: the same. */
  readonly matVecOfMany?: string;
  readonly matMul: string;
}

/** The first row that fits. CPU adapters pay for loads and barriers; GPUs want threads, and share what a workgroup holds. */
const SEEDS: readonly SeedRow[] = [
  {
    adapters: "a CPU with subgroups of 8: lavapipe",
    fits: ({ isFallback, subgroupSize, readableTextures }) => isFallback && subgroupSize === 8 && readableTextures,
    matVec: "broadcast 8",
    matMul: "broadcast 8",
  },
  {
    adapters: "a CPU with subgroups of 4: SwiftShader",
    fits: ({ isFallback, subgroupSize }) => isFallback && subgroupSize === 4,
    matVec: "broadcast 4",
    matMul: "broadcast 4",
  },
  { adapters: "any other CPU", fits: ({ isFallback }) => isFallback, matVec: "8 x 1", matMul: "64 x 4" },
  {
    adapters: "a GPU",
    fits: () => true,
    matVec: "8 x 32 for 8",
    matVecOfMany: "8 x 16 for 16",
    matMul: "staged 64 x 64",
  },
];
/** Most heads have more, most other matrices fewer. */
const MANY_ROWS = 32_768;

export interface Seeds {
  readonly matVec: MatVecVariant;
  readonly matMul: MatMulVariant;
}

/**
 * For a matrix. A CPU adapter is never measured: where precision may be lost it loses it, slower as it is there, so
 * that what is asked for can be seen on any machine. On a GPU that has to be faster first.
 */
export function seedsFor(facts: KernelFacts, { format, rows }: Pick<Matrix, "format" | "rows">): Seeds {
  const row = SEEDS.find(({ fits }) => fits(facts))!;
  const vec = matVecVariants(facts, format);
  const fast = facts.isFallback ? vec.find(({ arithmetic }) => arithmetic === "int8") : undefined;
  const matVec = rows > MANY_ROWS ? (row.matVecOfMany ?? row.matVec) : row.matVec;
  return {
    matVec: fast ?? vec.find(({ name }) => name === matVec)!,
    matMul: matMulVariants(facts, format).find(({ name }) => name === row.matMul)!,
  };
}
