// Teaches Comlink what it cannot carry by itself: typed errors, abort signals, async iterables and model files.
import { type TransferHandler, transferHandlers } from "comlink";
import { type ErrorRecord, fromErrorRecord, toErrorRecord } from "./transport/error.ts";
import type { ArgumentKinds } from "./transport/guard.ts";
import { receiveIterable, sendIterable } from "./transport/iterable.ts";
import { type ModelFile, ModelFiles, type PackedFile, packFiles, unpackFiles } from "./transport/model-files.ts";
import { receiveSignal, sendSignal } from "./transport/signal.ts";

/** Both sides call this once, before the first message. */
export function registerTransferHandlers(): void {
  if (transferHandlers.has("signal")) return;
  transferHandlers.set("signal", signalHandler);
  transferHandlers.set("iterable", iterableHandler);
  transferHandlers.set("model", modelHandler);
  const thrown = transferHandlers.get("throw") as TransferHandler<{ value: unknown }, unknown>;
  transferHandlers.set("throw", {
    canHandle: thrown.canHandle,
    serialize: ({ value }: { value: unknown }) => [{ record: toErrorRecord(value) }, []],
    deserialize({ record }: { record: ErrorRecord }) {
      throw fromErrorRecord(record);
    },
  } as TransferHandler<unknown, unknown>);
}

/** What a page may send as arguments of a call, besides plain values. */
export const PAGE_ARGUMENTS: ArgumentKinds = {
  signal: (value) => value instanceof MessagePort,
  model: (value) => Array.isArray(value) && value.every(isPackedFile),
};

const signalHandler: TransferHandler<AbortSignal, MessagePort> = {
  canHandle: (value): value is AbortSignal => value instanceof AbortSignal,
  serialize(signal) {
    const port = sendSignal(signal);
    return [port, [port]];
  },
  deserialize: receiveSignal,
};

const iterableHandler: TransferHandler<AsyncIterable<unknown>, MessagePort> = {
  canHandle: (value): value is AsyncIterable<unknown> =>
    typeof value === "object" && value !== null && Symbol.asyncIterator in value,
  serialize(iterable) {
    const port = sendIterable(iterable);
    return [port, [port]];
  },
  deserialize: receiveIterable,
};

/** Page to worker only, so the two sides have different types: ModelFiles goes in, ModelFile[] comes out. */
const modelHandler = {
  canHandle: (value: unknown): value is ModelFiles => value instanceof ModelFiles,
  serialize: packFiles,
  deserialize: (files: readonly PackedFile[]): readonly ModelFile[] => unpackFiles(files),
} as unknown as TransferHandler<ModelFiles, readonly PackedFile[]>;

function isPackedFile(value: unknown): value is PackedFile {
  const file = value as PackedFile | null;
  switch (file?.kind) {
    case "url":
      return typeof file.url === "string";
    case "blob":
      return file.blob instanceof Blob && typeof file.name === "string";
    case "source":
      return typeof file.name === "string" && Number.isSafeInteger(file.size) && file.port instanceof MessagePort;
    default:
      return false;
  }
}
