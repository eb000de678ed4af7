// The one error class of the engine: a code to branch on, a message to read, typed details, and its OpenAI form.
// Bugs are not codes: see invariant.ts.

/** What each code carries besides its message. A code that is absent here carries nothing. */
export interface ErrorDetails {
  context_length_exceeded: { contextLength: number; promptTokens: number };
  unsupported_architecture: { architecture: string };
  unsupported_format: { tensor: string; format: string };
  model_malformed: { offset: number; rule: string };
  integrity_mismatch: { expected: string; actual: string };
  download_failed: { url: string; status?: number };
  quota_exceeded: { neededBytes: number; freeBytes?: number };
  out_of_memory: { requestedBytes: number; heldBytes: number };
  webgpu_unavailable: { reason: string };
  budget_exceeded: { budget: string; limit: number };
  method_not_supported: { allowed: readonly string[] };
}

/**
 * HTTP status and OpenAI error `type` of every code: the one table that all callers read. The third number stands where the
 * same request may succeed after that many seconds; elsewhere a retry repeats the work or cannot help.
 */
const WIRE = {
  invalid_request: [400, "invalid_request_error"],
  unsupported_parameter: [400, "invalid_request_error"],
  context_length_exceeded: [400, "invalid_request_error"],
  invalid_api_key: [401, "invalid_request_error"],
  unknown_url: [404, "invalid_request_error"],
  method_not_supported: [405, "invalid_request_error"],
  request_too_large: [413, "invalid_request_error"],
  model_not_found: [404, "invalid_request_error"],
  model_not_loaded: [503, "server_error"],
  unsupported_architecture: [400, "invalid_request_error"],
  unsupported_format: [400, "invalid_request_error"],
  model_malformed: [400, "invalid_request_error"],
  integrity_mismatch: [500, "server_error"],
  source_changed: [500, "server_error"],
  download_failed: [502, "server_error"],
  quota_exceeded: [507, "server_error"],
  storage_unavailable: [500, "server_error"],
  webgpu_unavailable: [500, "server_error"],
  out_of_memory: [500, "server_error"],
  device_lost: [500, "server_error"],
  numeric_fault: [500, "server_error"],
  template_error: [400, "invalid_request_error"],
  unsupported_schema: [400, "invalid_request_error"],
  budget_exceeded: [400, "invalid_request_error"],
  grammar_dead_end: [500, "server_error"],
  rate_limit_exceeded: [429, "rate_limit_error", 1],
  worker_crashed: [500, "server_error"],
  aborted: [499, "invalid_request_error"],
  disposed: [503, "server_error"],
} as const satisfies Record<string, WireRow>;

type WireRow = readonly [status: number, type: string, retryAfter?: number];

export type ErrorCode = keyof typeof WIRE;
type DetailsOf<Code extends ErrorCode> = Code extends keyof ErrorDetails ? ErrorDetails[Code] : undefined;

/** An error in OpenAI's wire form, without its `{ error: … }` envelope. */
export interface OpenAIErrorBody {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}

export interface EngineErrorOptions<Code extends ErrorCode> {
  details?: DetailsOf<Code>;
  /** Path of the request field at fault, as in `messages[2].content[0].type`. */
  param?: string;
  /** A finer code for the wire, such as OpenAI's `decimal_above_max_value`; the engine's own code otherwise. */
  wireCode?: string;
  cause?: unknown;
}

/** What happened, with numbers, and what to try. */
export class EngineError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = "EngineError";
  readonly code: Code;
  readonly details: DetailsOf<Code> | undefined;
  readonly param: string | undefined;
  readonly wireCode: string | undefined;

  constructor(code: Code, message: string, options: EngineErrorOptions<Code> = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details;
    this.param = options.param;
    this.wireCode = options.wireCode;
  }

  /** HTTP status that a server answers with. */
  get status(): number {
    return WIRE[this.code][0];
  }

  /** Seconds after which the same request may succeed; undefined where a retry repeats the work or cannot help. */
  get retryAfter(): number | undefined {
    const row: WireRow = WIRE[this.code];
    return row[2];
  }

  toOpenAI(): OpenAIErrorBody {
    return {
      message: this.message,
      type: WIRE[this.code][1],
      param: this.param ?? null,
      code: this.wireCode ?? this.code,
    };
  }
}

/** True for an EngineError, of the given code if one is named. */
export function isEngineError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is EngineError<Code> {
  return error instanceof EngineError && (code === undefined || error.code === code);
}

/** The `aborted` error for a signal that has fired. */
export function abortedError(signal?: AbortSignal): EngineError<"aborted"> {
  return new EngineError("aborted", "The call was aborted by its caller.", { cause: signal?.reason });
}

/** Throws `aborted` if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal);
}
