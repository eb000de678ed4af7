// What a measured choice depends on: the same key means the same adapter, browser and kernels.
import { sha256Hex } from "../../base/sha256.ts";
import type { Device } from "../../gpu/device.ts";
import { matMul } from "../../kernels/mat-mul.ts";
import { matMulBroadcast4, matMulBroadcast8 } from "../../kernels/mat-mul-broadcast.ts";
import { matMulStaged } from "../../kernels/mat-mul-staged.ts";
import { matMulPrelude, matMulVariants } from "../../kernels/mat-mul-variant.ts";
import { matVec } from "../../kernels/mat-vec.ts";
import { matVecGated } from "../../kernels/mat-vec-gated.ts";
import { matVecResidual } from "../../kernels/mat-vec-residual.ts";
import { matVecBuild, matVecVariants } from "../../kernels/mat-vec-variant.ts";
import type { KernelFacts } from "../../kernels/precision.ts";
import { SUPPORTED_FORMATS } from "../../quant/formats.ts";

/**
 * @param facts the device's adapter, and the precision that is asked for
 * @param platform what runs WebGPU, with its major version: see `browserOf`
 */
export async function tuningKey(
  {
    features,
    maxBindingBytes,
    gpu,
  }: Pick<Device, "features" | "maxBindingBytes"> & {
    readonly gpu: { readonly limits: Pick<GPUSupportedLimits, "maxBufferSize"> };
  },
  facts: KernelFacts,
  platform: string,
): Promise<string> {
  const kernels = [matVec, matVecGated, matVecResidual, matMul, matMulStaged, matMulBroadcast4, matMulBroadcast8].map(
    ({ source }) => source,
  );
  const vectors = SUPPORTED_FORMATS.flatMap((format) =>
    matVecVariants(facts, format).flatMap((variant) => [
      JSON.stringify(variant),
      matVecBuild(format, variant, 1).prelude,
    ]),
  );
  const products = SUPPORTED_FORMATS.flatMap((format) =>
    matMulVariants(facts, format).flatMap((variant) => [JSON.stringify(variant), matMulPrelude(format, variant)]),
  );
  const parts = {
    adapter: Object.entries(facts).sort(),
    features: [...features].sort(),
    // All other limits are WebGPU's defaults: see openDevice.
    limits: [gpu.limits.maxBufferSize, maxBindingBytes],
    platform,
    kernels: [...kernels, ...new Set([...vectors, ...products])],
  };
  return sha256Hex(JSON.stringify(parts));
}

/** The engine of a browser and its major version, from its user agent: `Chrome/156`, `Firefox/145`, `Version/26` (Safari). */
export function browserOf(userAgent: string): string {
  return /(?:Chrome|Firefox|Version|Node\.js)\/\d+/.exec(userAgent)?.[0] ?? userAgent;
}
