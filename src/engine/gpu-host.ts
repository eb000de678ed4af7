// The host that does the arithmetic on WebGPU.
import { type Device, openDevice } from "../gpu/device.ts";
import { type MemoryRequest, planMemory } from "../runtime/gpu-memory.ts";
import { createGpuRuntime } from "../runtime/gpu-runtime.ts";
import type { OpenRuntimeHost } from "./runtime-host.ts";

/**
 * @param gpu `navigator.gpu`, or Dawn's in Node; a lost device is replaced by another one from here
 * @param onDevice sees each device that is opened: for tests that lose it, and benches that read its counters
 * @param choices what is else left to each adapter
 */
export function gpuHost(
  gpu: GPU | undefined,
  onDevice: (device: Device) => void = () => {},
  choices: Pick<MemoryRequest, "gpuSampling"> = {},
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
        const memory = planMemory(device, spec, { ...choices, ...wish });
        return {
          bytes: memory.bytes,
          create: ({ gguf, ...load }) => createGpuRuntime({ device, model: gguf, spec, memory, ...load }),
        };
      },
      dispose: () => device.dispose(),
    };
  };
}
