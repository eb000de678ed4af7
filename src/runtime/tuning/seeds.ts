// What adapters are known to do well with, by facts about them: where tuning begins, and what holds where nothing is timed.
import type { AdapterFacts } from "../../gpu/device.ts";
import { type MatMulVariant, matMulVariants } from "../../kernels/mat-mul-variant.ts";
import { type MatVecVariant, matVecVariants } from "../../kernels/mat-vec-variant.ts";

interface SeedRow {
  readonly adapters: string;
  readonly fits: (facts: AdapterFacts) => boolean;
  /** Names of variants. */
  readonly matVec: string;
  readonly matMul: string;
}

/** The first row that fits. CPU adapters pay for loads and barriers; GPUs want threads. */
const SEEDS: readonly SeedRow[] = [
  {
    adapters: "a CPU with subgroups of 8: lavapipe",
    fits: ({ isFallback, subgroupSize }) => isFallback && subgroupSize === 8,
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
  { adapters: "a GPU", fits: () => true, matVec: "8 x 8", matMul: "512 x 4" },
];

export interface Seeds {
  readonly matVec: MatVecVariant;
  readonly matMul: MatMulVariant;
}

export function seedsFor(facts: AdapterFacts): Seeds {
  const row = SEEDS.find(({ fits }) => fits(facts))!;
  return {
    matVec: matVecVariants(facts).find(({ name }) => name === row.matVec)!,
    matMul: matMulVariants(facts).find(({ name }) => name === row.matMul)!,
  };
}
