// The GPU runtime passes the suite of every Runtime, on every adapter found.
import { readGguf } from "../../src/gguf/gguf.ts";
import type { KvCacheType } from "../../src/kernels/kv-format.ts";
import { PAGE_LENGTH } from "../../src/kernels/kv-layout.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { planMemory } from "../../src/runtime/gpu-memory.ts";
import { createGpuRuntime } from "../../src/runtime/gpu-runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { describeRuntime, type MakeRuntime } from "../conformance/conformance.ts";
import { describeAdapters, type TestAdapter } from "./adapters.ts";

const makeRuntime =
  (adapter: TestAdapter, kvCache: KvCacheType): MakeRuntime =>
  async (bytes, options) => {
    const model = await readGguf(memorySource(bytes));
    const device = await adapter.device();
    const spec = specOf(model);
    const plan = planMemory(device, spec, { prefillRows: 256, kvCache, gpuSampling: true, ...options });
    const pageCount = 2 * Math.ceil(plan.contextLength / PAGE_LENGTH); // the suite runs out of memory after two contexts
    return createGpuRuntime({ device, model, spec, memory: { ...plan, kv: { ...plan.kv, pageCount } } });
  };

// The tiny models are no judge of how much q8_0 rounds, only of whether anything is wrong: in float64 it is up to 0.05 nats.
describeAdapters("GPU runtime", (adapter) => {
  describeRuntime(`on ${adapter.name}`, makeRuntime(adapter, "f16"), { maxAbs: 5e-3, inOnePart: !adapter.onCpu });
  // Its kernels are compared on every adapter (attention, row-kernels); the suite takes minutes on the slowest.
  if (adapter.name === "lavapipe")
    describeRuntime(`on ${adapter.name}, with q8_0 keys and values`, makeRuntime(adapter, "q8_0"), { maxAbs: 0.1 });
});
