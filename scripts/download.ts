// One HTTP download to a file, going on from the bytes already there. It fails soon when the server is silent.

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { CommandError } from "./command-error.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const STALL_TIMEOUT_MS = 30_000;

/** @throws CommandError when the server cannot be reached, answers with an error or a page, or stops sending */
export async function downloadTo(
  path: string,
  url: string,
  onBytes: (bytes: number, total: number | undefined) => void,
  signal: AbortSignal,
): Promise<void> {
  const held = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  const silence = createSilenceTimer(signal);
  try {
    silence.restart(CONNECT_TIMEOUT_MS);
    const headers: HeadersInit = held > 0 ? { range: `bytes=${held}-` } : {};
    const response = await fetch(url, { headers, signal: silence.signal });
    if (response.status === 416) return; // nothing is missing: the caller's SHA-256 decides
    if (!response.ok) throw new CommandError(`HTTP ${response.status} ${response.statusText}`.trim());
    if (/text\/html/.test(response.headers.get("content-type") ?? "")) {
      throw new CommandError("answered with a web page instead of the file");
    }
    if (response.body === null) throw new CommandError("answered without a body");

    const resumed = response.status === 206;
    let bytes = resumed ? held : 0;
    const length = response.headers.get("content-length");
    const total = length === null ? undefined : bytes + Number(length);
    const file = createWriteStream(path, { flags: resumed ? "a" : "w" });
    const closed = once(file, "close");
    const failed = new Promise<never>((_, reject) => file.on("error", reject));
    failed.catch(() => {});
    try {
      silence.restart(STALL_TIMEOUT_MS);
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        silence.restart(STALL_TIMEOUT_MS);
        if (!file.write(chunk)) await Promise.race([once(file, "drain"), failed]);
        bytes += chunk.byteLength;
        onBytes(bytes, total);
      }
    } finally {
      file.end();
      await Promise.race([closed, failed]);
    }
    if (total !== undefined && bytes < total)
      throw new CommandError(`the connection ended at byte ${bytes} of ${total}`);
  } catch (error) {
    if (silence.signal.aborted && !signal.aborted) throw new CommandError("no answer in time");
    throw explainFetchError(error);
  } finally {
    silence.stop();
  }
}

/** Node's fetch says only "fetch failed"; the reason is in its cause. */
function explainFetchError(error: unknown): Error {
  if (error instanceof CommandError) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new CommandError(cause instanceof Error ? cause.message : String(cause), { cause: error });
}

function createSilenceTimer(signal: AbortSignal) {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  return {
    signal: AbortSignal.any([signal, controller.signal]),
    restart(timeoutMs: number) {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), timeoutMs);
    },
    stop: () => clearTimeout(timer),
  };
}
