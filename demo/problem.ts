// Errors in words: what happened is the engine's own message; what to try depends on the code.
import { type ErrorCode, isEngineError } from "../src/index.ts";

/** An error in words. */
export interface Problem {
  code: string;
  what: string;
  advice: string;
  /** Path of the request's field at fault, where it is one. */
  param?: string;
}

const ADVICE: Partial<Record<ErrorCode, string>> = {
  webgpu_unavailable:
    "Use a current Chrome, Edge, Safari or Firefox, check that hardware acceleration is on, and on Linux that a Vulkan driver is installed.",
  download_failed:
    "Check the connection and try again: what has arrived is kept. Or open a .gguf file from this computer.",
  source_changed: "The file on the server has changed since the download began. Try again to fetch the new one.",
  integrity_mismatch: "The file is damaged. Try again to fetch it anew, or open another file.",
  model_malformed: "This is not a GGUF file that can be trusted. Download it again, or open another.",
  unsupported_architecture: "Open a model of another family, such as Llama, Qwen or SmolLM.",
  unsupported_format: "Look for the same model in another quantization, such as Q4_K_M, Q8_0 or F16.",
  out_of_memory: "Close other tabs that use the GPU, or open a smaller model.",
  quota_exceeded: "Free some disk space or remove this site's stored data; the model is kept in the browser's storage.",
  storage_unavailable: "Private windows may not keep files. Try a normal window, or open the file from this computer.",
  device_lost:
    "The GPU was taken away, often by a driver reset, and the answer could not go on. Send the message again: the model is loaded anew.",
  worker_crashed:
    "Send the message again: the model is loaded anew. If it happens every time, the model may be too large for this browser.",
  context_length_exceeded: "Start a new chat, or make the message shorter.",
  numeric_fault: "The file may be damaged, or the GPU driver at fault. Reload the page, or open another file.",
  template_error: "The model's chat template refused these messages. Try without a system prompt.",
  invalid_request: "Check the values under Settings.",
  unsupported_parameter: "Set it back to its default under Settings.",
};

export function problemOf(error: unknown): Problem {
  if (!isEngineError(error)) {
    const what = error instanceof Error ? error.message : String(error);
    return { code: "bug", what, advice: "This is a fault of Ingle's. Reload the page; the console has more." };
  }
  return {
    code: error.code,
    what: error.message,
    advice: ADVICE[error.code] ?? "Try again, or reload the page.",
    ...(error.param !== undefined && { param: error.param }),
  };
}

/** Faults of the engine's own are on the page in words; anything else belongs in the console. */
export function report(error: unknown): void {
  if (!isEngineError(error)) console.error(error);
}
