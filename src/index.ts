// All that a page may import (a barrel). At run time: the client and the error class; everything else is types.
export type * from "./api/types.ts";
export type { ControlledStream } from "./base/controlled-stream.ts";
export { EngineError, type ErrorCode, isEngineError, type OpenAIErrorBody } from "./base/errors.ts";
export { type CreateEngineOptions, createEngine, type Engine, type PageModel } from "./client.ts";
export type { ModelInfo } from "./engine/model-info.ts";
export type { LoadPhase, ProgressEvent } from "./engine/progress.ts";
export type { Stall } from "./engine/stall.ts";
export type { RequestStats } from "./engine/stats.ts";
export type { KvCacheType } from "./kernels/kv-format.ts";
export { type ServeFromPageOptions, type ServingPage, serveFromPage } from "./server/service-worker-page.ts";
export type { ByteSource } from "./storage/byte-source.ts";
export type { ModelInput } from "./transport/model-files.ts";
