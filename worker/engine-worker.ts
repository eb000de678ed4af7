// The engine's dedicated worker: registration only. Comlink listens on the worker's own port, behind a gate, and nowhere else.
import { type Endpoint, expose } from "comlink";
import { gpuHost } from "../src/engine/gpu-host.ts";
import { createTuner } from "../src/runtime/tuning/tuner.ts";
import { browserOf } from "../src/runtime/tuning/tuning-key.ts";
import { indexedDbTuningStore } from "../src/storage/tuning-store.ts";
import { guardedEndpoint } from "../src/transport/guard.ts";
import { WORKER_METHODS } from "../src/transport/worker-api.ts";
import { PAGE_ARGUMENTS, registerTransferHandlers } from "../src/transport.ts";
import { createService } from "./service.ts";

registerTransferHandlers();
const tuner = createTuner({
  platform: browserOf(navigator.userAgent),
  store: indexedDbTuningStore(globalThis.indexedDB),
});
const service = createService(gpuHost(navigator.gpu, { tuner }));
expose(service, guardedEndpoint(globalThis as unknown as Endpoint, WORKER_METHODS, PAGE_ARGUMENTS));
