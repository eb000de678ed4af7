// EngineError over a port: structured cloning keeps an error's message and loses the rest, so a plain record goes instead.
import { EngineError, type EngineErrorOptions, type ErrorCode, isEngineError } from "../base/errors.ts";

export interface ErrorRecord {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly stack: string | undefined;
  readonly details: unknown;
  readonly param: string | undefined;
  readonly wireCode: string | undefined;
  /** As text: a cause can be anything, and much of that cannot be cloned. */
  readonly cause: string | undefined;
}

export function toErrorRecord(error: unknown): ErrorRecord {
  const typed = isEngineError(error) ? error : undefined;
  return {
    code: typed?.code,
    message: error instanceof Error ? error.message : String(error),
    stack: error instanceof Error ? error.stack : undefined,
    details: typed?.details,
    param: typed?.param,
    wireCode: typed?.wireCode,
    cause: error instanceof Error && error.cause !== undefined ? String(error.cause) : undefined,
  };
}

export function fromErrorRecord(record: ErrorRecord): Error {
  const { code, message, stack, details, param, wireCode, cause } = record;
  const options = {
    ...(details !== undefined && { details }),
    ...(param !== undefined && { param }),
    ...(wireCode !== undefined && { wireCode }),
    ...(cause !== undefined && { cause }),
  };
  const error = code
    ? new EngineError(code, message, options as EngineErrorOptions<ErrorCode>)
    : new Error(message, options);
  if (stack !== undefined) error.stack = stack;
  return error;
}
