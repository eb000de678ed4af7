// The GPU runtime passes the suite of every Runtime, on every adapter found.
import { readGguf } from "../../src/gguf/gguf.ts";
import { PAGE_LENGTH } from "../../src/kernels/kv-layout.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { planMemory } from "../../src/runtime/gpu-memory.ts";
import { createGpuRuntime } from "../../src/runtime/gpu-runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { describeRuntime } from "../conformance/conformance.ts";
import { describeAdapters } from "./adapters.ts";

describeAdapters("GPU runtime", (adapter) => {
  describeRuntime(
    `on ${adapter.name}`,
    async (bytes, options) => {
      const model = await readGguf(memorySource(bytes));
      const device = await adapter.device();
      const spec = specOf(model);
      const plan = planMemory(device, spec, { prefillRows: 256, gpuSampling: true, ...options });
      const pageCount = 2 * Math.ceil(plan.contextLength / PAGE_LENGTH); // the suite runs out of memory after two contexts
      return createGpuRuntime({ device, model, spec, memory: { ...plan, kv: { ...plan.kv, pageCount } } });
    },
    { maxAbs: 5e-3 },
  );
});
