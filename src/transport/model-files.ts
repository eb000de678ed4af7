// What a page names as a model, over a port: addresses as text, blobs as themselves, and the page's own byte sources by proxy.
import { abortedError, EngineError, isEngineError } from "../base/errors.ts";
import type { ByteSource } from "../storage/byte-source.ts";
import { type ErrorRecord, fromErrorRecord, toErrorRecord } from "./error.ts";

/** An address, a file that the user chose, any other blob, or bytes from wherever the page has them. */
export type ModelInput = URL | string | Blob | ByteSource;

/** A model's files on the page side, marked for the transport. */
export class ModelFiles {
  readonly inputs: readonly ModelInput[];
  constructor(inputs: readonly ModelInput[]) {
    this.inputs = inputs;
  }
}

/** A model's file as the worker gets it. */
export type ModelFile =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "blob"; readonly blob: Blob; readonly name: string }
  | { readonly kind: "source"; readonly source: ByteSource };

export type PackedFile =
  | Exclude<ModelFile, { kind: "source" }>
  | { readonly kind: "source"; readonly name: string; readonly size: number; readonly port: MessagePort };

type ReadMessage =
  | { readonly id: number; readonly offset: number; readonly length: number }
  | { readonly cancel: number };
type ReadAnswer = { readonly id: number } & (
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly error: ErrorRecord }
);

/** @throws EngineError `invalid_request` for what is no model input */
export function packFiles({ inputs }: ModelFiles): [PackedFile[], Transferable[]] {
  const files = inputs.map(packFile);
  return [files, files.flatMap((file) => (file.kind === "source" ? [file.port] : []))];
}

export function unpackFiles(files: readonly PackedFile[]): ModelFile[] {
  return files.map((file) => (file.kind === "source" ? { kind: "source", source: remoteSource(file) } : file));
}

function packFile(input: ModelInput): PackedFile {
  if (typeof input === "string" || input instanceof URL) return { kind: "url", url: absolute(input) };
  if (input instanceof Blob) return { kind: "blob", blob: input, name: input instanceof File ? input.name : "blob" };
  if (typeof input?.read === "function" && typeof input.size === "number") {
    const { port1, port2 } = new MessageChannel();
    serveSource(input, port1);
    return { kind: "source", name: String(input.name), size: input.size, port: port2 };
  }
  throw new EngineError(
    "invalid_request",
    "`model` has to be a URL, a File, a Blob, a ByteSource, or an array of them.",
    {
      param: "model",
    },
  );
}

/** Relative to the page, as everything else in it: the worker's own address is another. */
function absolute(input: string | URL): string {
  try {
    return new URL(input, globalThis.document?.baseURI).href;
  } catch (cause) {
    throw new EngineError("invalid_request", `"${input}" is not a URL.`, { param: "model", cause });
  }
}

function serveSource(source: ByteSource, port: MessagePort): void {
  const reads = new Map<number, AbortController>();
  port.onmessage = async ({ data }: MessageEvent<ReadMessage>) => {
    if ("cancel" in data) return reads.get(data.cancel)?.abort();
    const { id, offset, length } = data;
    const controller = new AbortController();
    reads.set(id, controller);
    try {
      const bytes = await readExactly(source, offset, length, controller.signal);
      port.postMessage({ id, bytes }, [bytes.buffer]);
    } catch (error) {
      port.postMessage({ id, error: toErrorRecord(error) });
    } finally {
      reads.delete(id);
    }
  };
}

/** A page's source is foreign code: what it throws becomes typed, and what it gives is measured before weights are made of it. */
async function readExactly(
  source: ByteSource,
  offset: number,
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = String(source.name);
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await source.read(offset, length, signal);
  } catch (cause) {
    if (isEngineError(cause)) throw cause;
    if (signal.aborted) throw abortedError(signal);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EngineError("download_failed", `Reading ${length} bytes at ${offset} of ${name} failed: ${reason}`, {
      details: { url: name },
      cause,
    });
  }
  if (bytes?.byteLength !== length || !(bytes instanceof Uint8Array))
    throw new EngineError(
      "source_changed",
      `${name} gave ${bytes?.byteLength ?? "no"} bytes where ${length} were asked for, at ${offset}.`,
    );
  // A view of more than itself is copied: sending it would take the rest away from the page.
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

function remoteSource({ name, size, port }: Extract<PackedFile, { kind: "source" }>): ByteSource {
  const waiting = new Map<number, (answer: ReadAnswer) => void>();
  let nextId = 0;
  port.onmessage = ({ data }: MessageEvent<ReadAnswer>) => {
    waiting.get(data.id)?.(data);
    waiting.delete(data.id);
  };
  return {
    name,
    size,
    read(offset, length, signal) {
      const id = nextId++;
      const cancel = () => port.postMessage({ cancel: id });
      return new Promise<Uint8Array<ArrayBuffer>>((resolve, reject) => {
        waiting.set(id, (answer) =>
          "error" in answer ? reject(fromErrorRecord(answer.error)) : resolve(answer.bytes),
        );
        port.postMessage({ id, offset, length });
        if (signal?.aborted) cancel();
        else signal?.addEventListener("abort", cancel, { once: true });
      }).finally(() => signal?.removeEventListener("abort", cancel));
    },
  };
}
