// The host that does the arithmetic on WebGPU.
import { type Device, openDevice } from "../gpu/device.ts";
import { planMemory } from "../runtime/gpu-memory.ts";
import { createGpuRuntime } from "../runtime/gpu-runtime.ts";
import type { Tuner } from "../runtime/tuning/tuner.ts";
import type { OpenRuntimeHost } from "./runtime-host.ts";

export interface GpuHostOptions {
  /** Sees each device that is opened: for tests that lose it, and benches that read its counters. */
  readonly onDevice?: (device: Device) => void;
  /** For all devices, so that a model keeps its kernels when it is loaded again; absent: nothing is measured. */
  readonly tuner?: Tuner;
  /** As MemoryRequest has it. */
  readonly gpuSampling?: boolean | undefined;
}

/** @param gpu `navigator.gpu`, or Dawn's in Node; a lost device is replaced by another one from here */
export function gpuHost(
  gpu: GPU | undefined,
  { onDevice = () => {}, tuner, gpuSampling }: GpuHostOptions = {},
): OpenRuntimeHost {
  return async () => {
    const device = await openDevice(gpu);
    onDevice(device);
    const { vendor, architecture, description, isFallback } = device.adapter;
    const name = [description || vendor, architecture].filter((part) => part !== "").join(", ") || "unnamed adapter";
    return {
      adapter: isFallback ? `${name} (on the CPU)` : name,
      features: [...device.features],
      plan(spec, wish) {
        const memory = planMemory(device, spec, { gpuSampling, ...wish });
        return {
          bytes: memory.bytes,
          create({ gguf, tune, ...load }) {
            const chosen = tune === "auto" ? tuner : undefined;
            return createGpuRuntime({ device, model: gguf, spec, memory, tuner: chosen, ...load });
          },
        };
      },
      dispose: () => device.dispose(),
    };
  };
}
