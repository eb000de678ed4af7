// A host whose runtimes a test has its own way with.
import type { OpenRuntimeHost } from "../../src/engine/runtime-host.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";

/** As `open`; each runtime goes through `wrap` before the engine gets it. */
export function wrappedHost(open: OpenRuntimeHost, wrap: (runtime: Runtime) => Runtime): OpenRuntimeHost {
  return async (...args) => {
    const host = await open(...args);
    return {
      ...host,
      plan(spec, wish) {
        const { bytes, create } = host.plan(spec, wish);
        return { bytes, create: async (load) => wrap(await create(load)) };
      },
    };
  };
}
